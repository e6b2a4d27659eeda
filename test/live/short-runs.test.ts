/** Containers that end as soon as they are started: every start and end that Docker's own events tell of is told once. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetdashEvent } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { startWatch } from './watching.ts';

/** netdash's word for what Docker tells of. */
const words: Record<string, NetdashEvent['type']> = {
  create: 'container-created',
  start: 'container-started',
  die: 'container-died',
  destroy: 'container-removed',
};

interface DockerLine {
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
}

/** What Docker told since then of the containers with these names, oldest first, as `name word exit code`. */
async function toldByDocker(lab: Lab, since: number, names: readonly string[]): Promise<string[]> {
  const filters = JSON.stringify({ type: ['container'], event: Object.keys(words) });
  const query = `since=${Math.floor(since / 1000)}&until=${Math.ceil(Date.now() / 1000)}`;
  const answer = await lab.api('GET', `/events?${query}&filters=${encodeURIComponent(filters)}`);
  const lines = String(answer).trim().split('\n');
  return lines
    .map(line => JSON.parse(line) as DockerLine)
    .filter(({ Actor }) => names.includes(Actor.Attributes['name'] ?? ''))
    .map(({ Action, Actor: { Attributes } }) =>
      [Attributes['name'], words[Action], ...(Action === 'die' ? [Attributes['exitCode']] : [])].join(' '),
    );
}

/** The same as netdash told it; each container's by time. */
const toldByNetdash = (events: readonly NetdashEvent[], names: readonly string[]): string[] =>
  events
    .filter(({ type, containerName = '' }) => Object.values(words).includes(type) && names.includes(containerName))
    .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .map(({ type, containerName, text }) =>
      [containerName, type, ...(type === 'container-died' ? [text.replace(/^.* /, '')] : [])].join(' '),
    );

const of = (name: string, lines: readonly string[]): string[] => lines.filter(line => line.startsWith(`${name} `));

labTest('starts and ends between two looks are told, each once', {}, async lab => {
  const watch = await startWatch(lab);
  const since = Date.now();
  // Ends at once, and is started again sooner than one can look.
  await lab.run('loop', {
    cmd: ['sh', '-c', 'exit 9'],
    hostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 4 } },
  });
  // Come and go, as `docker run --rm`.
  const passing = ['once1', 'once2', 'once3'];
  for (const name of passing) {
    await lab.run(name, { cmd: ['true'], hostConfig: { AutoRemove: true } });
  }
  await lab.run('twice');
  await lab.restart('twice');
  await lab.restart('twice');
  await lab.stop('twice');
  for (;;) {
    const { State, RestartCount } = await lab.inspect('loop');
    if (State.Status === 'exited' && RestartCount === 4) break;
    await sleep(100);
  }
  for (const name of ['loop', 'twice']) await lab.remove(name);
  await watch.next(({ type, containerName }) => type === 'container-removed' && containerName === 'twice');
  await sleep(1500);
  const names = ['loop', 'twice', ...passing];
  const docker = await toldByDocker(lab, since, names);
  const netdash = toldByNetdash(watch.events, names);
  assert.equal(of('loop', docker).length, 12, docker.join('\n'));
  for (const name of names) assert.deepEqual(of(name, netdash), of(name, docker));
  await watch.stop();
});
