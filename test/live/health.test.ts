/** Docker's whole list is read once a minute: what only it says of a container that runs is told by events in between. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import type { Host } from '../../source/host/host.ts';
import { DockerSource } from '../../source/live/docker-source.ts';
import { labTest } from '../lab/for-tests.ts';

labTest('a health that changes shows without another look at the whole list', {}, async lab => {
  const Healthcheck = { Test: ['CMD', 'test', '-e', '/tmp/well'], Interval: 1e9, Timeout: 5e9, Retries: 1 };
  const { docker, ...rest } = createLiveHost({
    docker: connectDocker(resolveEndpoint({ flag: `unix://${lab.socket}`, env: {} })),
  });
  const asked: string[] = [];
  const get: typeof docker.get = (path, options) => {
    asked.push(path);
    return docker.get(path, options);
  };
  const host: Host = { ...rest, docker: { ...docker, get } };
  const whole = (): number => asked.filter(path => path === '/containers/json?all=1').length;
  await lab.run('well', { body: { Healthcheck } });
  let events = 0;
  const source = new DockerSource({
    host,
    follows: true,
    onReading: () => undefined,
    onEvent: ({ action }) => {
      if (action === 'health_status') events += 1;
    },
  });
  try {
    await source.start();
    const shows = async (health: string): Promise<void> => {
      while (source.reading.value?.containers.find(({ name }) => name === 'well')?.health !== health) await sleep(20);
    };
    await shows('unhealthy');
    const before = whole();
    await lab.exec('well', ['touch', '/tmp/well']);
    await shows('healthy');
    assert.equal(whole(), before);
    assert.equal(events, 0, 'it changes nothing of links, rules and sockets');
    while (!asked.some(path => path.includes('filters='))) await sleep(20);
    assert.equal(source.reading.state, 'ok');
  } finally {
    await source.stop();
    docker.close?.();
  }
});
