/**
 * Damaged answers, from every source at once, through everything: readers, facts, findings, verdicts, JSON and text. Nothing
 * throws, nothing hangs, and what comes out is valid. fast-check prints the seed of a failure; what it found once is in
 * `regressions`.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as v from 'valibot';
import { currentContext, readContext } from '../../source/host/docker-context.ts';
import { UsageError } from '../../source/host/usage-error.ts';
import { parseRecording } from '../../source/host/recording/load.ts';
import { replayHost } from '../../source/host/recording/replay-host.ts';
import { judge } from '../../source/facts/findings/index.ts';
import { joinFacts } from '../../source/facts/join.ts';
import { emptyLedger } from '../../source/facts/port-changes.ts';
import { SnapshotSchema } from '../../source/facts/schema.ts';
import { questionsAbout } from '../../source/facts/walk/subjects.ts';
import { makeWorld, walk } from '../../source/facts/walk/walk.ts';
import { portStateFormat } from '../../source/live/state-ports.ts';
import { containerRows, containerTable } from '../../source/present/container-table.ts';
import { linkRows, linkTable } from '../../source/present/link-table.ts';
import { networkRows, networkTable } from '../../source/present/network-table.ts';
import { renderTable } from '../../source/present/render-table.ts';
import { ruleRows, ruleTable } from '../../source/present/rule-table.ts';
import { fixtureRecording } from '../fixtures/hosts.ts';
import { readOnce } from '../facts/read-once.ts';
import { assertPlain } from './judge.ts';
import { damaged, damagedRecording, damages } from './mutate.ts';
import { rounds } from '../rounds.ts';

/** Seeds that found something, to be tried again each time. */
const regressions: number[] = [];
const hosts = rounds(40);

const recordings = {
  '20': fixtureRecording('20'),
  '26': fixtureRecording('26'),
  '28': fixtureRecording('28'),
  '29-nftables': fixtureRecording('29-nftables'),
};

for (const [name, loading] of Object.entries(recordings)) {
  test(`a damaged host with Docker ${name}`, async () => {
    const base = await loading;
    let understood = 0;
    const property = fc.asyncProperty(damages, async list => {
      const host = replayHost(damagedRecording(base, list));
      const readings = await readOnce(host);
      for (const [source, reading] of Object.entries(readings)) {
        if (source !== 'inside' && reading.state === 'failed')
          assert.ok(reading.reason, `${source} says why it failed`);
      }
      const now = Date.parse(base.recordedAt);
      const facts = joinFacts(readings, {
        now,
        host: { kind: 'recording', name, uid: 0, dockerEndpoint: 'recording' },
      });
      const findings = judge({ readings, facts: { ...facts, portChanges: [] }, now, previous: [] }, new Set());
      const snapshot = v.parse(SnapshotSchema, { ...facts, findings, portChanges: [] });
      const world = makeWorld(readings, snapshot);
      for (const port of [80, 8080, 9090]) {
        for (const question of questionsAbout({ kind: 'port', port }, undefined, snapshot).slice(0, 6))
          walk(world, question);
      }
      for (const lines of [
        renderTable(containerTable, containerRows(snapshot)),
        renderTable(linkTable, linkRows(snapshot)),
        renderTable(networkTable, networkRows(snapshot)),
        renderTable(ruleTable, ruleRows(snapshot)),
      ])
        assertPlain(lines.join('\n'), 'a table');
      if (snapshot.containers.length > 0) understood += 1;
    });
    await fc.assert(property, { numRuns: hosts });
    for (const seed of regressions) await fc.assert(property, { numRuns: hosts, seed });
    assert.ok(understood > hosts / 3, `only ${understood} of ${hosts} hosts were understood at all`);
  });
}

test('a damaged recording is refused in one line, or replayed', async () => {
  const text = JSON.stringify({ ...(await recordings['20']), frames: [{ atMs: 0, files: { '/x': 'y' } }] });
  fc.assert(
    fc.property(damages, fc.boolean(), (list, packed) => {
      const torn = list.reduce((current, damage) => damaged(current, damage), text);
      const content = packed ? gzipSync(torn).subarray(0, list[0]!.where % 2 === 0 ? undefined : -9) : torn;
      try {
        replayHost(parseRecording(content));
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        assert.doesNotMatch(error.message, /\n/);
      }
    }),
    { numRuns: rounds(200) },
  );
});

test('a damaged state file is refused, or what it says is understood whole', () => {
  const change = {
    at: '2026-11-21T10:00:00.000Z',
    containerId: 'c'.repeat(64),
    containerName: 'web',
    proto: 'tcp',
    containerPort: 80,
  };
  const sides = {
    from: [{ hostIp: '0.0.0.0', hostPort: 1 }],
    to: [{ hostIp: '0.0.0.0', hostPort: 2 }],
    cause: 'restart',
  };
  const ledger = emptyLedger;
  const text = JSON.stringify({ netdashState: 1, daemonId: 'x', ledger, portChanges: [{ ...change, ...sides }] });
  assert.equal(portStateFormat.parse(JSON.parse(text)).portChanges.length, 1, 'undamaged it is understood');
  fc.assert(
    fc.property(damages, list => {
      const torn = list.reduce((current, damage) => damaged(current, damage), text);
      let state: ReturnType<typeof portStateFormat.parse>;
      try {
        state = portStateFormat.parse(JSON.parse(torn));
      } catch (error) {
        assert.ok(error instanceof Error);
        assert.doesNotMatch(error.message, /Cannot read|undefined is not|is not a function/);
        return;
      }
      portStateFormat.merge(state, state);
    }),
    { numRuns: rounds(500) },
  );
});

test('damaged files of the Docker CLI are passed over or told as a mistake', () => {
  const meta = JSON.stringify({
    Name: 'far',
    Endpoints: { docker: { Host: 'tcp://10.0.0.1:2376', SkipTLSVerify: false } },
  });
  const config = JSON.stringify({ currentContext: 'far', auths: {} });
  const digest = createHash('sha256').update('far').digest('hex');
  fc.assert(
    fc.property(damages, list => {
      const torn = (text: string) => list.reduce((current, damage) => damaged(current, damage), text);
      const read = (path: string) =>
        path.endsWith('config.json') ? torn(config) : path.includes(`/meta/${digest}/`) ? torn(meta) : undefined;
      const name = currentContext({ HOME: '/h' }, read);
      assert.ok(name === undefined || typeof name === 'string');
      try {
        assert.equal(typeof readContext('far', 'a test', { HOME: '/h' }, read).host, 'string');
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
      }
    }),
    { numRuns: rounds(500) },
  );
});
