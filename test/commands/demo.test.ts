import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { EventSchema, SnapshotSchema } from '../../source/facts/schema.ts';
import { runNetdash } from './running.ts';

test('--demo is a complete recording, marked as one (else: node --import tsx scripts/demo.ts)', async () => {
  const { code, stdout } = await runNetdash(['snapshot', '--json', '--demo']);
  assert.equal(code, 0);
  const { host, sources, containers, links } = v.parse(SnapshotSchema, JSON.parse(stdout));
  assert.equal(host.kind, 'recording');
  for (const [name, { state, reason }] of Object.entries(sources)) assert.equal(state, 'ok', `${name}: ${reason}`);
  // The one that crashes again and again may be gone by the time that its netns is read.
  const running = containers.filter(({ name, state }) => state === 'running' && name !== 'crash');
  assert.ok(running.length > 20);
  // All that was asked of the lab is in the recording: the insides of containers, and the veths of all of them.
  assert.deepEqual(
    running.filter(({ listeners }) => listeners === null).map(({ name }) => name),
    [],
  );
  const veths = new Set(links.map(({ containerName }) => containerName));
  for (const { name, networkMode } of running) if (networkMode === 'bridge') assert.ok(veths.has(name), name);
  const text = await runNetdash(['snapshot', '--demo']);
  assert.match(text.stdout, /^ RECORDING /);
});

test('in the demo a port moves, and no source fails', async () => {
  const { stdout } = await runNetdash(['watch', '--json', '--demo', '--for', '14']);
  const events = stdout
    .trim()
    .split('\n')
    .map(line => v.parse(EventSchema, JSON.parse(line)));
  const moved = events.filter(({ type }) => type === 'port-changed');
  assert.deepEqual(
    moved.map(({ containerName, portChange }) => [containerName, portChange?.cause]),
    [['myapp2', 'restart']],
  );
  assert.deepEqual(
    events.filter(({ type }) => type === 'source-failed').map(({ text }) => text),
    [],
  );
});

test('the demo holds no path of the machine that made it', async () => {
  const { stdout } = await runNetdash(['snapshot', '--json', '--demo']);
  assert.doesNotMatch(stdout, /netdash-lab|\/home\//);
});
