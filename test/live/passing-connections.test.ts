/** Networks that come and go faster than views are made: what is told is what Docker's own events say, each once, at their time. */
import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { startWatch } from './watching.ts';

/** One of `GET /events`, as far as it is looked at. */
interface Said {
  Type: string;
  Action: string;
  Actor: { Attributes: Record<string, string> };
  timeNano: number;
}

/** What became of a network, and when. */
interface Turn {
  what: string;
  at: string[];
}

/** Connections that Docker told of since then, oldest first. To 20.10 it tells of some ends twice: both times count. */
async function saidSince(lab: Lab, since: number): Promise<Turn[]> {
  const until = Math.ceil(Date.now() / 1000) + 1;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ socketPath: lab.socket, path: `/events?since=${since}&until=${until}` }, resolve).on('error', reject);
  });
  const last = new Map<string, Turn>();
  const turns: Turn[] = [];
  for (const line of (await text(answer)).split('\n').filter(each => each !== '')) {
    const { Type, Action, Actor, timeNano } = JSON.parse(line) as Said;
    if (Type !== 'network' || (Action !== 'connect' && Action !== 'disconnect')) continue;
    const { name = '' } = Actor.Attributes;
    const at = new Date(Math.floor(timeNano / 1e6)).toISOString();
    const before = last.get(name);
    if (before?.what === `${Action}ed ${name}`) before.at.push(at);
    else {
      const turn = { what: `${Action}ed ${name}`, at: [at] };
      last.set(name, turn);
      turns.push(turn);
    }
  }
  return turns;
}

labTest('a network that a container is put on and taken off between two views is told of', {}, async lab => {
  await lab.run('web', { publish: ['8080:80'] });
  for (const name of ['app', 'back']) await lab.networkCreate(name);
  await lab.networkConnect('back', 'web');
  const watch = await startWatch(lab);
  try {
    await sleep(1100);
    const since = Math.floor(Date.now() / 1000);
    const begun = watch.events.length;
    for (const pause of [0, 40, 90, 150, 210, 300, 450, 700, 0, 120]) {
      await lab.networkConnect('app', 'web');
      await sleep(pause % 100);
      await lab.networkDisconnect('app', 'web');
      await sleep(pause);
      await lab.networkDisconnect('back', 'web');
      await lab.networkConnect('back', 'web');
      await sleep(pause * 2);
    }
    await lab.networkConnect('app', 'web');
    await sleep(2500);
    const told = watch.events.slice(begun).flatMap(({ at, type, text: line }) => {
      const [, network = ''] = / network (\S+)$/.exec(line) ?? [];
      return type === 'network-connected' || type === 'network-disconnected'
        ? [{ at, what: `${type.replace('network-', '')} ${network}` }]
        : [];
    });
    told.sort((a, b) => (a.at < b.at ? -1 : 1));
    const said = await saidSince(lab, since);
    assert.equal(said.length, 41);
    assert.deepEqual(
      told.map(({ what }) => what),
      said.map(({ what }) => what),
    );
    for (const [i, { at, what }] of told.entries()) assert.ok(said[i]?.at.includes(at), `${what} at ${at}`);

    // With its run a container leaves its networks and comes back to them: that is told as the run.
    const before = watch.events.length;
    await lab.restart('web');
    await watch.next(({ type }) => type === 'container-started', before);
    await sleep(2500);
    const ofRun = watch.events.slice(before).filter(({ type }) => type.startsWith('network-'));
    assert.deepEqual(ofRun, []);
  } finally {
    await watch.stop();
  }
});
