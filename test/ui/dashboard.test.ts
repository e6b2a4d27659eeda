/** The whole dashboard on a terminal in this process. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { renderDashboard } from '../../source/ui/dashboard.tsx';
import { sampleLive } from './sample-live.ts';
import type { SampleLive } from './sample-live.ts';
import { poorSnapshot, sampleSnapshot } from './sample.ts';
import { VirtualTerminal } from './virtual-terminal.ts';

process.env['FORCE_COLOR'] = '2';

let open: { terminal: VirtualTerminal; done: Promise<boolean> } | undefined;

async function start(
  columns: number,
  rows: number,
  live: SampleLive = sampleLive(),
  env: NodeJS.ProcessEnv = {},
  containerName?: string,
) {
  const terminal = new VirtualTerminal(columns, rows);
  const done = renderDashboard({
    live,
    terminal: {
      stdin: terminal.stdin,
      stdout: terminal.stdout,
      env: { TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env },
    },
    ...(containerName === undefined ? {} : { initial: { containerName } }),
  });
  open = { terminal, done };
  await terminal.until(/quit/);
  return terminal;
}

afterEach(async () => {
  if (!open) return;
  const { terminal, done } = open;
  open = undefined;
  await terminal.type('\u{3}');
  await done;
  terminal.dispose();
});

const selected = (terminal: VirtualTerminal): string | undefined =>
  terminal
    .lines()
    .find(line => line.startsWith('▌'))
    ?.split(/\s+/)[1];

/** What a screen must hold whatever it shows: it fills the terminal exactly and never scrolls it. */
function assertFits(terminal: VirtualTerminal, rows: number): void {
  const lines = terminal.lines();
  assert.equal(lines.length, rows);
  assert.match(lines[0]!, /edge-1/, 'the header is on the first line');
  assert.match(lines.at(-1)!, /quit|Esc/, 'the footer is on the last line');
}

for (const [columns, rows] of [
  [80, 24],
  [200, 50],
  [60, 15],
  [120, 40],
  [160, 40],
  [60, 10],
] as const) {
  test(`every pane and page fills ${columns}x${rows} exactly`, async () => {
    const terminal = await start(columns, rows);
    for (const keys of [
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      'f',
      '\r',
      '\u{1B}',
      '1',
      '\r',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      '8',
      '\u{1B}',
      '?',
      '\u{1B}',
      '/web',
      '\r',
      'z',
    ]) {
      await terminal.type(keys);
      assertFits(terminal, rows);
    }
  });
}

test('80x24 shows containers, their state and ports, and the worst findings below', async () => {
  const terminal = await start(80, 24);
  const text = terminal.text();
  assert.match(text, /web +● running +bridge +8080→80 +\? unknown/);
  assert.match(text, /web2 +○ exited 1 +host/);
  assert.match(text, /✗ clash did not start: 0\.0\.0\.0:8080\/tcp is held by web/);
  assert.match(text, /\+7 columns|NOTE/);
});

test('notices that need more room than there is do not push anything off the screen', async () => {
  const terminal = await start(
    60,
    10,
    sampleLive({ snapshot: { ...poorSnapshot(), host: sampleSnapshot().host }, events: [] }),
  );
  for (const keys of '123456f') {
    await terminal.type(keys);
    assertFits(terminal, 10);
  }
});

test('200x50 shows containers, ports, links, findings and events at once', async () => {
  const terminal = await start(200, 50);
  for (const title of ['1 Containers', '3 Ports', '2 Links', 'f Findings', '6 Events'])
    assert.match(terminal.text(), new RegExp(title));
  await terminal.type('5');
  assert.match(terminal.text(), /5 Firewall/);
  assert.doesNotMatch(terminal.text(), /3 Ports/);
});

test('keys that arrive together all count', async () => {
  const terminal = await start(80, 24);
  await terminal.type('jjj');
  assert.equal(selected(terminal), 'lan-probe');
  await terminal.type('G');
  assert.match(selected(terminal)!, /資料庫/);
  await terminal.type('gj\u{1B}[B');
  assert.equal(selected(terminal), 'frozen');
});

test('the selection follows its container when others vanish, and passes on when it vanishes itself', async () => {
  const live = sampleLive();
  const terminal = await start(80, 24, live);
  await terminal.type('jjjj');
  assert.equal(selected(terminal), 'myapp2');
  const without = (...names: string[]) => {
    const snapshot = sampleSnapshot();
    live.set({
      snapshot: { ...snapshot, containers: snapshot.containers.filter(({ name }) => !names.includes(name)) },
    });
  };
  without('clash', 'frozen');
  await terminal.until(/12\/13/);
  assert.equal(selected(terminal), 'myapp2');
  without('clash', 'frozen', 'myapp2');
  await terminal.until(/11\/12/);
  assert.equal(selected(terminal), 'nonet');
});

test('Enter opens a container, numbers its tabs, Esc goes back and never quits', async () => {
  const terminal = await start(80, 24);
  await terminal.type('/name:web');
  await terminal.type('\r\r');
  assert.match(terminal.text(), /─ web {2}● running/);
  assert.match(terminal.text(), /network mode +bridge/);
  await terminal.type('2');
  assert.match(terminal.text(), /80\/tcp +8080 +0\.0\.0\.0:8080 \[::\]:8080 +✓ 0\.0\.0\.0:80 httpd 4010/);
  await terminal.type('3');
  assert.match(terminal.text(), /3 Path .* 9 Raw/);
  assert.match(terminal.text(), /Who reaches it|It does not run|It publishes/);
  await terminal.type('9');
  await terminal.until(/"Name": "\/web"/);
  assert.doesNotMatch(terminal.written, /a\u{1B}\[2Jb/u);
  for (let i = 0; i < 4; i += 1) await terminal.type('\u{1B}');
  assert.match(terminal.text(), /1 Containers 14\/15/);
});

test('e shows what others may reach, under the filter that says so, and goes back', async () => {
  const terminal = await start(120, 30);
  await terminal.type('e');
  assert.match(terminal.text(), /\/ exposed {2}\d+ rows of \d+/);
  assert.match(terminal.text(), /RISK.*WHY/);
  // Nothing was read of the sample's rules: what cannot be known is not left out.
  assert.match(terminal.text(), /Not known whether others can reach these/);
  await terminal.type('e');
  assert.doesNotMatch(terminal.text(), /\/ exposed/);
  assert.match(terminal.text(), /PROTO.*REACH/);
});

test('a filter applies as one types, says what it does not understand, and Esc drops it', async () => {
  const terminal = await start(80, 24);
  await terminal.type('/mode:host');
  assert.match(terminal.text(), /\/ mode:host▏ {2}2 rows of 14/);
  assert.doesNotMatch(terminal.text(), /shop-api/);
  await terminal.type(' colour:red');
  assert.match(terminal.text(), /no field "colour"/);
  await terminal.type('\u{1B}');
  assert.match(terminal.text(), /shop-api/);
});

test('a finding opens with evidence and what to do, and leads on to its container', async () => {
  const terminal = await start(80, 24);
  await terminal.type('f\r');
  assert.match(terminal.text(), /Evidence\n +docker inspect clash +State\.Error: Bind for/);
  assert.match(terminal.text(), /What to do\n +Publish another host port/);
  await terminal.type('\r');
  assert.match(terminal.text(), /─ clash {2}◌ created/);
});

test('stopped containers come with a, projects group with o, and sorting marks its column', async () => {
  const terminal = await start(120, 30);
  assert.doesNotMatch(terminal.text(), /batch/);
  await terminal.type('a');
  assert.match(terminal.text(), /batch +○ exited/);
  await terminal.type('o');
  assert.match(terminal.text(), / {2}shop\n {2}shop-api-1/);
  await terminal.type('sS');
  assert.match(terminal.text(), /STATE↓/);
});

test('freezing pins the screen and says so', async () => {
  const live = sampleLive();
  const terminal = await start(80, 24, live);
  await terminal.type('p');
  assert.match(terminal.lines()[0]!, /FROZEN \d\d:\d\d:\d\d/);
  await terminal.type('p');
  assert.doesNotMatch(terminal.text(), /FROZEN/);
});

test('copying goes through the terminal and is confirmed', async () => {
  const terminal = await start(80, 24);
  await terminal.type('3jc');
  const encoded = /\u{1B}\]52;c;([^\u{7}]*)\u{7}/u.exec(terminal.written)?.[1];
  assert.equal(Buffer.from(encoded!, 'base64').toString(), '[::]:22');
  assert.match(terminal.text(), /copied \[::\]:22/);
});

test('what is looked at is told to the live part', async () => {
  const live = sampleLive();
  const terminal = await start(80, 24, live);
  await terminal.type('5');
  await terminal.type('1\r');
  assert.deepEqual(live.attended[0], { containerId: undefined, rates: true, counters: false });
  assert.ok(live.attended.some(item => (item as { counters: boolean }).counters));
  assert.equal(typeof (live.attended.at(-1) as { containerId?: string }).containerId, 'string');
  await terminal.type('r');
  assert.equal(live.refreshed(), 1);
});

test('resizing redraws at once, and too small a terminal still takes q', async () => {
  const terminal = await start(80, 24);
  await terminal.resize(200, 50);
  assertFits(terminal, 50);
  assert.match(terminal.text(), /f Findings 6/);
  await terminal.resize(40, 8);
  assert.deepEqual(terminal.lines().slice(0, 2), ['netdash needs at least 60x10 (now 40x8);', 'q quits']);
  await terminal.resize(20, 6);
  assert.equal(terminal.text().replaceAll(/\s+/g, ' ').trim(), 'netdash needs at least 60x10 (now 20x6); q quits');
  await terminal.resize(80, 24);
  assertFits(terminal, 24);
  assert.match(terminal.text(), /─ Findings/);
  await terminal.resize(40, 8);
  await terminal.type('q');
  await open!.done;
  assert.equal(terminal.isAlternate, false);
  open = undefined;
});

test('quitting leaves the terminal as it was', async () => {
  const terminal = await start(80, 24);
  assert.equal(terminal.isAlternate, true);
  assert.equal(terminal.raw, true);
  await terminal.type('q');
  await open!.done;
  open = undefined;
  assert.equal(terminal.isAlternate, false);
  assert.equal(terminal.raw, false);
  assert.match(terminal.written, /\u{1B}\[\?25h[^\u{1B}]*$/u, 'the cursor is shown last');
  assert.ok(terminal.written.lastIndexOf('\u{1B}[?2004l') > terminal.written.lastIndexOf('\u{1B}[?2004h'));
});

test('names from outside cannot reach the terminal', async () => {
  const terminal = await start(80, 24);
  assert.match(terminal.text(), /資料庫�\[31m�/);
  assert.doesNotMatch(terminal.written, /\u{202E}/u);
});

test('without Docker and rights the screen says what is unknown and why', async () => {
  const terminal = await start(80, 24, sampleLive({ snapshot: poorSnapshot(), events: [] }));
  assert.match(terminal.text(), /unknown, docker cannot be read: nobody listens on/);
  await terminal.type('3');
  assert.match(terminal.text(), /unknown, sockets cannot be read/);
  await terminal.type('5');
  assert.match(terminal.text(), /unknown, netfilter cannot be read: needs root/);
  await terminal.type('2');
  assert.match(terminal.text(), /eth0 +↑ up/);
});

test('a locale without UTF-8 gets ASCII only', async () => {
  const terminal = await start(80, 24, sampleLive(), { LANG: 'C' });
  assert.match(terminal.text(), /^[\x20-\x7e\n]+$/);
  assert.match(terminal.text(), /> clash +\. created/);
});

test('a container named at the start is open at once', async () => {
  const terminal = await start(80, 24, sampleLive(), {}, 'web1');
  assert.match(terminal.text(), /─ web1 {2}● running {2}host/);
});

test('on a line that does not take the last frame nothing is written, and then only the newest', async () => {
  const live = sampleLive();
  const terminal = await start(80, 24, live);
  terminal.stall(true);
  await terminal.type('j');
  const after = terminal.written.length;
  for (let i = 0; i < 5; i += 1) {
    const snapshot = sampleSnapshot();
    live.set({ snapshot: { ...snapshot, host: { ...snapshot.host, name: `edge-${i}` } } });
    await terminal.type('j');
  }
  assert.equal(terminal.written.length, after);
  terminal.stall(false);
  await terminal.until('edge-4');
  assert.doesNotMatch(terminal.written, /edge-3/);
  assert.equal(selected(terminal), 'shared');
});

test('data that changes without a visible difference writes nothing', async () => {
  const live = sampleLive();
  const terminal = await start(80, 24, live);
  await terminal.settle();
  const before = terminal.written.length;
  live.set({ snapshot: sampleSnapshot() });
  await terminal.settle();
  await terminal.settle();
  assert.equal(terminal.written.length, before);
});

test("a container's page says that it shows what Docker said earlier, and when the container is gone what became of it", async () => {
  const live = sampleLive();
  const terminal = await start(80, 24, live, {}, 'web');
  await terminal.until(/1 Overview/);
  assert.doesNotMatch(terminal.text(), /cannot be read now/);
  const { snapshot, events } = live.getView();
  const docker = { state: 'failed' as const, reason: 'nothing listens', ageMs: 65_000 };
  live.set({ snapshot: { ...snapshot, sources: { ...snapshot.sources, docker } } });
  await terminal.until(/docker cannot be read now: nothing listens\. Shown is what it said 1m ago/);
  assert.match(terminal.text(), /httpd/);

  const web = snapshot.containers.find(({ name }) => name === 'web')!;
  const { takenAt: at } = snapshot;
  const about = { containerId: web.id, containerName: 'web' };
  const heir = { ...web, id: 'f'.repeat(64) };
  const containers = [...snapshot.containers.filter(each => each !== web), heir];
  live.set({
    snapshot: { ...snapshot, containers },
    events: [{ at, type: 'container-removed', text: 'web removed', ...about }, ...events],
  });
  await terminal.until(/web is gone\./);
  assert.match(terminal.text(), /─ web ─/);
  assert.match(terminal.text(), /Another container is called so now: ffffffffffff, running/);
  assert.match(terminal.text(), /container-removed +web removed/);
});

test('columns that have no room are counted, however little is left for that', async () => {
  for (const [columns, note] of [
    [80, / \+\d+$/m],
    [126, / \+\d+ columns$/m],
  ] as const) {
    const terminal = await start(columns, 24);
    assert.match(terminal.text(), /NAME/);
    assert.match(terminal.text(), note);
    await terminal.type('\u{3}');
    await open?.done;
    open = undefined;
    terminal.dispose();
  }
});
