import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Snapshot } from '../../source/facts/schema.ts';
import type { LiveView } from '../../source/live/live.ts';
import { snapshotText } from '../../source/commands/snapshot.ts';
import { headerLines } from '../../source/present/header.ts';
import { lineWidth } from '../../source/present/layout.ts';
import { emptyLines, paneNotices } from '../../source/present/notices.ts';
import { poorSnapshot, sampleNow, sampleSnapshot, unreadReach } from '../ui/sample.ts';

const view = (change: Partial<LiveView> = {}): LiveView => ({
  snapshot: sampleSnapshot(),
  reach: unreadReach,
  events: [],
  ready: true,
  ...change,
});
const text = (lines: readonly (readonly { text: string }[])[]): string =>
  lines.map(line => line.map(part => part.text).join('')).join('\n');
const header = (width: number, change: Partial<LiveView> = {}, title?: string): string =>
  text(headerLines(view(change), { width, clock: sampleNow, title }));

test('the header fits every width and keeps what matters most', () => {
  for (let width = 60; width <= 220; width += 5) {
    const lines = headerLines(view(), { width, clock: sampleNow });
    assert.ok(
      lines.every(line => lineWidth(line) <= width),
      `${width}`,
    );
    assert.match(text(lines), /edge-1.*\n.*3 errors/);
  }
});

test('at 80 columns: host, Docker, firewall, forwarding, containers, findings, sources that are not well', () => {
  assert.match(header(80), /^edge-1 {2}Docker 28\.5\.2 {2}fw iptables {2}fwd v4 on v6 off.*11\/15/);
  assert.match(header(80), /✗ 3 errors {2}! 2 warnings/);
  assert.match(header(80), /netfilter ✗/);
});

test('at 200 columns every source says its state and reason', () => {
  assert.match(header(200), /docker ✓ .*sockets ! owners of 2 sockets need root .*netfilter ✗ needs root/);
  assert.match(header(200), /FORWARD drop/);
  assert.match(header(200), /↓ 83 kB\/s ↑ 1\.2 MB\/s/);
});

test('containers of a daemon that does not answer were up when it last did', () => {
  const sample = sampleSnapshot();
  const gone = { state: 'failed' as const, reason: 'nothing listens', ageMs: 180_000 };
  const change = { snapshot: { ...sample, sources: { ...sample.sources, docker: gone } } };
  assert.match(header(80, change), /11\/15 were up/);
  assert.match(header(200, change), /11\/15 containers were up/);
  assert.match(header(200), /11\/15 containers up/);
});

test('what is unknown is said, not left out', () => {
  const poor = header(200, { snapshot: poorSnapshot() });
  assert.match(poor, /no Docker/);
  assert.match(poor, /ip_forward unknown/);
  assert.match(poor, /not root/);
  assert.match(poor, /no findings in what can be read/);
});

test('no findings is all well only where all was read that is judged by', () => {
  const ok = { state: 'ok' as const, ageMs: 300 };
  const partial = { state: 'partial' as const, reason: 'nft did not end within 10 s', ageMs: 300 };
  const failed = { state: 'failed' as const, reason: 'refused', ageMs: null };
  const layout = { width: undefined, charset: 'unicode' as const };
  const cases: [Snapshot['sources'], boolean][] = [
    [{ docker: ok, netfilter: ok }, true],
    [{ docker: ok, netfilter: ok, state: { ...failed, ageMs: 300 } }, true],
    [{ docker: failed, netfilter: ok }, false],
    [{ docker: { ...failed, ageMs: 125_000 }, netfilter: ok }, false],
    [{ docker: ok, netfilter: partial }, false],
  ];
  for (const [sources, isWell] of cases) {
    const snapshot = { ...poorSnapshot(), findings: [], sources };
    const what = JSON.stringify(sources);
    assert.match(
      header(200, { snapshot }),
      isWell ? /^✓ no findings {2}/m : /^no findings in what can be read {2}/m,
      what,
    );
    assert.deepEqual(
      snapshotText(view({ snapshot }), layout).slice(-2),
      ['FINDINGS (0)', isWell ? 'none' : 'none in what can be read'],
      what,
    );
  }
});

test('no findings of a rootless daemon, or where nobody looked into a container, are none in what can be read', () => {
  const whole = sampleSnapshot();
  const ok = { state: 'ok' as const, ageMs: 300 };
  const well = { ...whole, findings: [], sources: { docker: ok, netfilter: ok } };
  const [first] = well.containers.filter(each => each.publishedPorts.length > 0);
  const container = { ...first!, listeners: [] };
  const docker = well.host.docker!;
  assert.match(header(200, { snapshot: { ...well, containers: [container] } }), /✓ no findings/);
  assert.match(
    header(200, { snapshot: { ...well, containers: [{ ...container, listeners: null }] } }),
    /no findings in what can be read/,
  );
  const rootless = { ...well.host, docker: { ...docker, rootless: true, local: true } };
  assert.match(
    header(200, { snapshot: { ...well, containers: [], host: rootless } }),
    /no findings in what can be read/,
  );
});

test('a recording, a frozen view and a stale source cannot be overlooked', () => {
  const snapshot = sampleSnapshot();
  assert.match(
    header(80, { snapshot: { ...snapshot, host: { ...snapshot.host, kind: 'recording' } } }, 'lab'),
    /^ RECORDING lab /,
  );
  assert.match(header(80, { frozenAt: sampleNow }), /^ FROZEN \d\d:\d\d:\d\d /);
  const sources = { ...snapshot.sources, docker: { state: 'failed' as const, reason: 'refused', ageMs: 125_000 } };
  assert.match(header(200, { snapshot: { ...snapshot, sources } }), /docker ✗ refused, 2m old/);
});

test('a pane whose source cannot be read says why and what to do, never that there is nothing', () => {
  const poor = view({ snapshot: poorSnapshot() });
  assert.match(text(paneNotices('docker', poor)), /unknown, docker cannot be read: nobody listens.*\n.*--host/);
  assert.deepEqual(emptyLines('docker', poor, 'none'), []);
  assert.equal(text(emptyLines('links', poor, 'none')), 'none');
});

const waiting = (waitingMs: number) => {
  const { host } = poorSnapshot();
  const docker = { state: 'failed' as const, reason: 'not read yet', ageMs: null, waitingMs };
  return { ready: false, snapshot: { ...poorSnapshot(), findings: [], host, sources: { docker } } };
};

test('before the first readings a pane says that it is reading, and how long it waits', () => {
  const early = view({ ready: false, snapshot: { ...sampleSnapshot(), sources: {} } });
  assert.match(text(paneNotices('docker', early)), /docker: reading/);
  assert.match(header(80, waiting(0)), /Docker reading….*\nnot judged yet {2}docker: reading…/);
  assert.match(header(80, waiting(3000)), /Docker waiting 3 s.*\n.*docker: waiting 3 s/);
  assert.equal(text(paneNotices('docker', view(waiting(12_000)))), 'docker: waiting 12 s');
  const failed = { state: 'failed' as const, reason: 'refused', ageMs: null };
  const answered = { ...poorSnapshot(), sources: { docker: failed } };
  assert.match(header(120, { ready: false, snapshot: answered }), /no Docker.*\n.*docker ✗ refused/);
});
