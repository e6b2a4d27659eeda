import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Finding, Snapshot } from '../../source/facts/schema.ts';
import { containerRows, containerTable } from '../../source/present/container-table.ts';
import { eventRows, eventTable } from '../../source/present/event-table.ts';
import { findingRows, findingTable } from '../../source/present/finding-table.ts';
import { layoutColumns, itemLine, lineWidth, titleLine } from '../../source/present/layout.ts';
import { linkRows, linkTable } from '../../source/present/link-table.ts';
import { networkRows, networkTable } from '../../source/present/network-table.ts';
import { portRows, portTable } from '../../source/present/port-table.ts';
import { renderTable } from '../../source/present/render-table.ts';
import { matchText, ruleRows, ruleTable } from '../../source/present/rule-table.ts';
import { listOf } from '../../source/present/table.ts';
import type { List } from '../../source/present/table.ts';
import { id, poorSnapshot, sampleEvents, sampleNow, sampleSnapshot } from '../ui/sample.ts';

const lists = (snapshot: Snapshot): List[] => [
  listOf(containerTable, containerRows(snapshot)),
  listOf(linkTable, linkRows(snapshot)),
  listOf(portTable, portRows(snapshot)),
  listOf(networkTable, networkRows(snapshot)),
  listOf(ruleTable, ruleRows(snapshot)),
  listOf(eventTable, eventRows(sampleEvents, sampleNow)),
  listOf(findingTable, findingRows(snapshot)),
];

/** The cells of the row whose first column reads so, by column title. */
function row(list: List, first: string): Record<string, string> {
  const item = list.items.find(candidate => candidate.cells[0]!.text === first);
  assert.ok(item, `no row ${first}`);
  return Object.fromEntries(list.columns.map((column, i) => [column.title, item.cells[i]!.text]));
}

const container = (name: string, snapshot = sampleSnapshot()) =>
  row(listOf(containerTable, containerRows(snapshot)), name);

test('no table is wider than it may be, at any width, and every cell says something', () => {
  for (const list of [...lists(sampleSnapshot()), ...lists(poorSnapshot())]) {
    for (let width = 20; width <= 220; width += 7) {
      const layout = layoutColumns(list, width);
      assert.ok(layout.places.length > 0);
      assert.equal(layout.places.length + layout.dropped.length, list.columns.length);
      for (const line of [titleLine(list, layout), ...list.items.map(item => itemLine(list.columns, item, layout))]) {
        assert.ok(lineWidth(line) <= width, `${list.id} at ${width}: ${lineWidth(line)}`);
      }
    }
    for (const item of list.items)
      assert.ok(
        item.cells.every(cell => cell.text.trim() !== ''),
        `${list.id} ${item.key}`,
      );
  }
});

test('rows of a table have different keys', () => {
  for (const list of lists(sampleSnapshot())) {
    assert.equal(new Set(list.items.map(item => item.key)).size, list.items.length, list.id);
  }
});

test('columns drop by importance, and extra ones come where the others have what they want', () => {
  const list = listOf(containerTable, containerRows(sampleSnapshot()));
  const shown = (width: number) => layoutColumns(list, width).places.map(({ index }) => list.columns[index]!.id);
  assert.deepEqual(shown(78), ['name', 'state', 'mode', 'ports', 'reach', 'note']);
  assert.deepEqual(shown(40), ['name', 'state', 'ports']);
  assert.ok(shown(250).includes('image'));
});

test('a container says what is the matter with it, before what others have to do with it', () => {
  assert.equal(container('clash')['NOTE'], '✗ port taken: did not start: 0.0.0.0:8080/tcp is held by web');
  assert.equal(container('web')['NOTE'], 'clash did not start: 0.0.0.0:8080/tcp is held by web');
  assert.equal(container('myapp2')['NOTE'], 'port moved 32768→32769 2m ago');
  assert.equal(container('shop-db-1')['NOTE'], '✗ unhealthy');
  assert.equal(container('batch')['NOTE'], 'exited 1h ago');
  assert.equal(container('sidecar')['MODE'], `container:${id('9').slice(0, 12)}`);

  // What is about a port that both ask for is the matter with both.
  const sample = sampleSnapshot();
  const [one, other] = ['batch', 'myapp2'].map(name => sample.containers.find(each => each.name === name)!.id);
  const rivals: Finding = {
    ...sample.findings[0]!,
    id: 'port-conflict-rivals:port:8200/tcp',
    code: 'port-conflict-rivals',
    severity: 'warning',
    subject: { kind: 'port', name: '8200/tcp' },
    message: 'batch and myapp2 both ask for port 8200/tcp',
    containerIds: [one!, other!],
  };
  const notes = ['batch', 'myapp2'].map(name => container(name, { ...sample, findings: [rivals] })['NOTE']);
  for (const note of notes) assert.match(note ?? '', /^! .*both ask for port 8200\/tcp/);
});

const blind = (entry: Container): Container =>
  entry.name === 'web1' ? { ...entry, listeners: null, unknown: { listeners: 'needs root' } } : entry;

test('ports of a container: published, asked for while it is down, its own in host mode, unknown with the reason', () => {
  assert.equal(container('web')['PORTS'], '8080→80');
  assert.equal(container('shop-api-1')['PORTS'], '127.0.0.1:5353→53/udp 3000→3000');
  assert.equal(container('clash')['PORTS'], '(8080→80)');
  assert.equal(container('web1')['PORTS'], ':80');
  const snapshot = sampleSnapshot();
  assert.equal(
    container('web1', { ...snapshot, containers: snapshot.containers.map(blind) })['PORTS'],
    'unknown: needs root',
  );
});

test('a listener that is bound to an interface says so, and is another one than that of the next interface', () => {
  const snapshot = sampleSnapshot();
  const bound = ['eth0', 'docker0'].map(device => ({
    proto: 'udp' as const,
    address: '0.0.0.0',
    port: 67,
    device,
    pid: 90,
    process: 'dnsmasq',
    owner: { kind: 'process' as const },
  }));
  const list = listOf(portTable, portRows({ ...snapshot, listeners: [...snapshot.listeners!, ...bound] }));
  const rows = list.items.filter(({ cells }) => cells.some(({ text }) => text === 'dnsmasq'));
  assert.deepEqual(
    rows.map(({ cells }) => cells[1]!.text),
    ['0.0.0.0 on eth0', '0.0.0.0 on docker0'],
  );
  assert.equal(new Set(rows.map(({ key }) => key)).size, 2);
});

test('an address with another end shows that one, whose prefix it is', () => {
  const snapshot = sampleSnapshot();
  const addresses = [{ family: 4 as const, address: '10.9.0.1', peer: '10.9.0.2', prefixLength: 24 }];
  const interfaces = snapshot.interfaces.map(each => (each.name === 'eth0' ? { ...each, addresses } : each));
  const shown = linkRows({ ...snapshot, interfaces }).find(({ name }) => name === 'eth0');
  assert.equal(shown?.address, '10.9.0.1 peer 10.9.0.2/24');
});

test('a container receives what its veth sends', () => {
  assert.deepEqual([container('web')['RX/s'], container('web')['TX/s']], ['83 kB', '1.2 MB']);
});

test('every published port and every listener of the host has its own row, in order', () => {
  const snapshot = sampleSnapshot();
  const rows = portRows(snapshot);
  const host = rows.filter(entry => entry.place === 'host');
  for (const listener of snapshot.listeners!) {
    assert.ok(
      host.some(
        entry => entry.proto === listener.proto && entry.address === listener.address && entry.port === listener.port,
      ),
    );
  }
  for (const entry of snapshot.containers) {
    for (const port of entry.publishedPorts) {
      assert.ok(
        host.some(
          found =>
            found.proto === port.proto &&
            found.address === port.hostIp &&
            found.port === port.hostPort &&
            found.containerId === entry.id,
        ),
        `${entry.name} ${port.hostIp}:${port.hostPort}`,
      );
    }
  }
  assert.deepEqual(
    host.map(entry => entry.port),
    host.map(entry => entry.port).sort((a, b) => a! - b!),
  );
  const proxied = host.find(entry => entry.port === 8080 && entry.address === '0.0.0.0')!;
  assert.deepEqual(proxied.target, { containerId: id('a'), address: '172.17.0.2', port: 80 });
  const ruleOnly = host.find(entry => entry.port === 9090 && entry.address === '::')!;
  assert.equal(ruleOnly.reason, 'no listener on the host, rules only');
});

test('two owners of one port number on different addresses are two rows', () => {
  const snapshot = sampleSnapshot();
  const extra = {
    ...snapshot.listeners![3]!,
    address: '10.0.0.9',
    pid: 77,
    process: 'nginx',
    owner: { kind: 'process' as const },
  };
  const rows = portRows({ ...snapshot, listeners: [...snapshot.listeners!, extra] }).filter(
    entry => entry.port === 80 && entry.place === 'host',
  );
  assert.deepEqual(
    rows.map(entry => [entry.address, entry.process]),
    [
      ['0.0.0.0', 'httpd'],
      ['10.0.0.9', 'nginx'],
    ],
  );
});

test('a routed port, a service port and unknown listeners are told', () => {
  const snapshot = sampleSnapshot();
  const routed = snapshot.containers.map(entry =>
    entry.name === 'web'
      ? {
          ...entry,
          publishedPorts: [],
          routedPorts: [{ proto: 'tcp' as const, hostIp: '0.0.0.0', containerPort: 80 }],
        }
      : entry,
  );
  const services = [
    {
      id: 's1',
      name: 'front',
      ports: [{ proto: 'tcp' as const, targetPort: 80, publishedPort: 8443, mode: 'ingress' as const }],
    },
  ];
  const rows = portRows({ ...snapshot, containers: routed, services, listeners: null });
  assert.match(rows[0]!.reason!, /owners of 2 sockets/);
  assert.equal(rows[0]!.kind, 'unknown');
  assert.deepEqual(
    rows.filter(entry => entry.exposure === 'routed').map(entry => [entry.address, entry.port]),
    [['172.17.0.2', 80]],
  );
  assert.equal(container('web', { ...snapshot, containers: routed })['PORTS'], 'routed→80');
  assert.equal(rows.find(entry => entry.port === 8443)?.owner.service, 'front');
});

test('listeners inside containers stand apart, a shared netns once, what could not be read with its reason', () => {
  const inside = portRows(sampleSnapshot()).filter(entry => entry.place === 'inside');
  assert.equal(inside.filter(entry => entry.port === 80).length, 2);
  assert.deepEqual(
    inside.filter(entry => entry.kind === 'unknown').map(entry => [entry.owner.containerName, entry.reason]),
    [['sidecar, frozen', 'needs root']],
  );
});

test('links: the container behind each veth, and how those without one are connected', () => {
  const rows = linkRows(sampleSnapshot());
  assert.equal(rows.find(entry => entry.name === 'vethc36a0f1')?.containerName, 'web');
  const way = (name: string) => rows.find(entry => entry.containerName === name)?.note;
  assert.equal(way('web1'), "shares the host's netns");
  assert.equal(way('shared'), 'shares the netns of web');
  assert.equal(way('lan-probe'), 'macvlan on eth0');
  assert.equal(
    rows.some(entry => entry.containerName === 'batch'),
    false,
  );
});

test('a rule keeps its identity when another is put in front of it', () => {
  const snapshot = sampleSnapshot();
  const before = ruleRows(snapshot).at(-1)!.key;
  const first = { ...snapshot.rules![0]!, text: '-A DOCKER -j LOG' };
  const moved = [first, ...snapshot.rules!].map((rule, i) => ({ ...rule, number: i }));
  assert.equal(ruleRows({ ...snapshot, rules: moved }).at(-1)!.key, before);
});

test('what a rule matches is its text without chain and target', () => {
  const [rule] = sampleSnapshot().rules!.filter(candidate => candidate.text.includes('8080'));
  assert.equal(matchText(rule!), '! -i docker0 -p tcp --dport 8080');
});

const sorted = (column: string, reverse: boolean) =>
  listOf(containerTable, containerRows(sampleSnapshot()), { sort: { column, reverse } }).items.map(
    item => item.cells[0]!.text,
  );

test('sorting is numeric, stable, and leaves rows without a value at the end', () => {
  assert.deepEqual(sorted('ports', false).slice(0, 4), ['web1', 'shop-api-1', 'web', 'clash']);
  assert.deepEqual(sorted('rx', true).slice(0, 3), ['web', 'myapp2', 'shop-api-1']);
  assert.equal(sorted('address', false)[0], 'web');
});

test('a table in a pipe has no escape codes, nothing cut, and only ASCII where asked', () => {
  const rows = containerRows(sampleSnapshot());
  const lines = renderTable(containerTable, rows);
  assert.equal(lines.length, rows.length + 1);
  assert.doesNotMatch(lines.join('\n'), /\u{1B}|\u{202E}/u);
  assert.match(lines.join('\n'), /127\.0\.0\.1:5353→53\/udp 3000→3000/);
  assert.doesNotMatch(lines.join('\n'), /…/);
  assert.match(renderTable(containerTable, rows, { charset: 'ascii', width: 100 }).join('\n'), /^[\x20-\x7e\n]+$/);
  assert.ok(renderTable(containerTable, rows, { width: 80 }).every(line => line.length <= 80));
});

/** What the detail page of each event says of its end. */
const endsOf = (rows: ReturnType<typeof eventRows>) =>
  rows.map(each =>
    (eventTable.details?.(each) ?? [])
      .map(line => line.map(({ text }) => text).join(''))
      .find(line => line.startsWith('cleared')),
  );

test('a finding that was raised says when it was cleared, if it was', () => {
  const raised = sampleEvents.find(({ type }) => type === 'finding-raised') ?? assert.fail('no such event');
  const at = (seconds: number) => new Date(Date.parse(raised.at) + seconds * 1000).toISOString();
  const cleared = { ...raised, type: 'finding-cleared' as const };
  const other = { ...cleared, finding: { ...raised.finding!, id: 'another' } };
  const events = [
    { ...raised, at: at(40) },
    { ...cleared, at: at(30) },
    { ...raised, at: at(20) },
    { ...other, at: at(15) },
    { ...cleared, at: at(10) },
    raised,
  ];
  const told = endsOf(eventRows(events, Date.parse(at(60))));
  assert.deepEqual(
    told.map(line => line !== undefined),
    [false, false, true, false, false, true],
  );
  assert.match(told[2] ?? '', /30s ago|30 s ago/);
  assert.match(told[5] ?? '', /50s ago|50 s ago/);
});

test('what listens in a netns that several share is its own container’s', () => {
  const snapshot = sampleSnapshot();
  const [first] = snapshot.containers.filter(
    each => each.state === 'running' && each.networkMode !== 'host' && (each.listeners?.length ?? 0) > 0,
  );
  const [listener] = first?.listeners ?? [];
  assert.ok(first && listener);
  const owner = { kind: 'container' as const, containerId: id('side'), containerName: 'side', via: 'own' as const };
  const shared = { ...first, listeners: [{ ...listener, owner }] };
  const rows = portRows({ ...snapshot, containers: [shared] }).filter(each => each.place === 'inside');
  assert.deepEqual(
    rows.map(each => [each.owner.containerName, each.containerId]),
    [['side', first.id]],
  );
});
