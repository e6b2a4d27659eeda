/** What happens bears the time that Docker gives it, not the one at which netdash came to see it. */
import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetdashEvent } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import { startWatch } from './watching.ts';

/** One of `GET /events`, as far as it is looked at. */
interface Said {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  timeNano: number;
}

const fails = (act: Promise<unknown>) => assert.rejects(act, /already (allocated|in use)/);

labTest('pauses, networks and failed starts are told at the time of Docker’s own event', {}, async lab => {
  const since = Math.floor(Date.now() / 1000);
  await lab.run('web', { publish: ['8080:80'] });
  const watch = await startWatch(lab);
  try {
    const happened = async (type: NetdashEvent['type'], act: () => Promise<unknown>): Promise<NetdashEvent> => {
      const from = watch.events.length;
      await act();
      return watch.next(event => event.type === type, from);
    };
    const told: [NetdashEvent, string, string][] = [];
    const paused = await happened('container-paused', () => lab.api('POST', '/containers/web/pause'));
    told.push([paused, 'container', 'pause']);
    const unpaused = await happened('container-unpaused', () => lab.api('POST', '/containers/web/unpause'));
    told.push([unpaused, 'container', 'unpause']);
    const created = await happened('network-created', () => lab.networkCreate('app'));
    const connected = await happened('network-connected', () => lab.networkConnect('app', 'web'));
    told.push([connected, 'network', 'connect']);
    const disconnected = await happened('network-disconnected', () => lab.networkDisconnect('app', 'web'));
    told.push([disconnected, 'network', 'disconnect']);
    const removed = await happened('network-removed', () => lab.networkRemove('app'));
    const failed = await happened('start-failed', () => fails(lab.run('clash', { publish: ['8080:80'] })));
    told.push([failed, 'network', 'disconnect']);
    await lab.run('later', { publish: ['8090:80'] });
    await happened('container-died', () => lab.stop('later'));
    const holder = await lab.listen({ address: '0.0.0.0', port: 8090 });
    await sleep(300);
    const again = await happened('start-failed', () => fails(lab.start('later')));
    await holder.close();
    told.push([again, 'network', 'disconnect']);

    const until = Math.ceil(Date.now() / 1000) + 1;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ socketPath: lab.socket, path: `/events?since=${since}&until=${until}` }, resolve).on('error', reject);
    });
    const said = (await text(answer))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Said);
    const timeOf = (isIt: (event: Said) => boolean): string => {
      const last = said.findLast(isIt) ?? assert.fail('Docker did not tell');
      return new Date(Math.floor(last.timeNano / 1e6)).toISOString();
    };
    for (const [event, kind, action] of told) {
      const time = timeOf(({ Type, Action, Actor }) => {
        const id = Type === 'container' ? Actor.ID : Actor.Attributes['container'];
        const isMeant = event !== disconnected || Actor.Attributes['name'] === 'app';
        return Type === kind && Action === action && id === event.containerId && isMeant;
      });
      assert.equal(event.at, time, event.text);
    }
    const ofApp = (action: string) =>
      timeOf(
        ({ Type, Action, Actor }) => Type === 'network' && Action === action && Actor.Attributes['name'] === 'app',
      );
    assert.equal(created.at, ofApp('create'));
    assert.equal(removed.at, ofApp('destroy'));
  } finally {
    await watch.stop();
  }
});
