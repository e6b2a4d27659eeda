/** What every host promises, held against this machine and against a recording of it; and that both give the same readings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError, type DockerApi, type Host } from '../../source/host/host.ts';
import { readKernel } from '../../source/host/kernel.ts';
import { readLinks } from '../../source/host/links.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { readNetfilter } from '../../source/host/netfilter/netfilter.ts';
import { readProcesses } from '../../source/host/processes.ts';
import { packRecording, parseRecording } from '../../source/host/recording/load.ts';
import { recordHost } from '../../source/host/recording/record-host.ts';
import { replayHost } from '../../source/host/recording/replay-host.ts';
import { readSockets } from '../../source/host/sockets.ts';
import { findTool } from '../../source/host/tools.ts';

/** Why this machine cannot be read: netdash's own sources need Linux and iproute2. */
function obstacle(): string | false {
  try {
    findTool('ip');
    return false;
  } catch (error) {
    return String(error);
  }
}

/** A daemon that is not there. */
const docker: DockerApi = {
  endpoint: 'unix:///nowhere',
  get: () => Promise.reject(new HostError('missing', 'no Docker daemon at unix:///nowhere: no such socket')),
  events: () => ({
    stop: () => undefined,
    ended: Promise.resolve(new HostError('missing', 'no Docker daemon at unix:///nowhere: no such socket')),
  }),
};

async function rejection(promise: Promise<unknown>): Promise<HostError> {
  const error: unknown = await promise.then(
    () => assert.fail('did not throw'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HostError, String(error));
  assert.ok(error.message !== '' && !error.message.includes('\n'), error.message);
  return error;
}

/** Asks for everything that a Host has and holds the answers against its contract. */
async function honours(host: Host): Promise<void> {
  assert.match(await host.readFile('/proc/version'), /^Linux version/);
  assert.equal((await rejection(host.readFile('/proc/nothing'))).code, 'missing');
  const paths = ['/proc/version', '/proc/nothing', '/proc/sys/kernel/osrelease'];
  const files = host.readFiles(paths);
  assert.equal(files.length, paths.length);
  assert.match(String(files[0]), /^Linux version/);
  assert.ok(files[1] instanceof HostError);
  assert.match(String(files[2]), /^\d/);
  assert.deepEqual(host.readFiles([]), []);
  const [link, none] = host.readLinks(['/proc/self/ns/net', '/proc/nothing']);
  assert.match(String(link), /^net:\[\d+\]$/);
  assert.ok(none instanceof HostError);
  assert.ok((await host.list('/proc/sys/net')).includes('ipv4'));
  assert.equal((await rejection(host.list('/proc/nothing'))).code, 'missing');
  const help = await host.run('ip', ['no-such-object']);
  assert.notEqual(help.code, 0);
  assert.notEqual(help.stderr, '');
  assert.equal((await rejection(host.docker.get('/version'))).code, 'missing');
  const events = host.docker.events({}, () => assert.fail());
  assert.equal((await events.ended)?.code, 'missing');
  events.stop();
  assert.ok(Math.abs(host.now() - Date.now()) < 3_600_000);
}

test('a live host and a recording of it honour the contract', { skip: obstacle() }, async () => {
  const recorded = recordHost(createLiveHost({ docker }), { version: '0' });
  await honours(recorded.host);
  const replay = replayHost(parseRecording(packRecording(recorded.recording())));
  assert.equal(replay.uid, recorded.host.uid);
  await honours(replay);
});

/** Readings of the host's own networking. */
async function read(host: Host) {
  const links = await readLinks(host);
  const sockets = await readSockets(host);
  const pids = sockets.value.listeners.flatMap(({ processes }) => processes?.map(({ pid }) => pid) ?? []);
  const names = links.value.links.map(({ name }) => name);
  return {
    links,
    sockets,
    processes: await readProcesses(host, { pids }),
    kernel: await readKernel(host, names),
    netfilter: await readNetfilter(host).catch((error: unknown) => error),
  };
}

test('a recording gives the readings that the host gave', { skip: obstacle() }, async () => {
  const recorded = recordHost(createLiveHost({ docker }), { version: '0' });
  const live = await read(recorded.host);
  const replayed = await read(replayHost(parseRecording(packRecording(recorded.recording()))));
  assert.ok(live.links.value.links.length > 0);
  assert.deepEqual(replayed, live);
});
