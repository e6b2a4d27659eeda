/** The join on recorded hosts, against what else was seen of them: `docker ps`, the bridges' forwarding tables, iflink. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assert as check, asyncProperty, constantFrom, infiniteStream, subarray } from 'fast-check';
import { array, number, object, parse, record, string, tuple } from 'valibot';
import { joinFacts, type JoinedFacts } from '../../source/facts/join.ts';
import { judge } from '../../source/facts/findings/index.ts';
import { reachability } from '../../source/facts/reachability.ts';
import { SnapshotSchema } from '../../source/facts/schema.ts';
import type { From, Subject } from '../../source/facts/walk/subjects.ts';
import type { Readings } from '../../source/host/readings.ts';
import { fixtureHost, type HostFixture, hostFixtures } from '../fixtures/hosts.ts';
import { assertCommand } from './commands.ts';
import { readOnce } from './read-once.ts';

const WitnessSchema = object({
  /** Container, interface inside, and the host's interface that its iflink names. */
  links: array(tuple([string(), string(), string()])),
  /** Bridge port by the MAC that was learnt on it. */
  fdb: record(string(), string()),
  /** The published ports of `docker ps`, by container. */
  ports: record(string(), array(string())),
});

const witness = (name: HostFixture) =>
  parse(
    WitnessSchema,
    JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/witness', `${name}.json`), 'utf8')),
  );

interface Joined {
  readings: Readings;
  facts: JoinedFacts;
}
const joined = new Map<HostFixture, Promise<Joined>>();

/** The facts of a recorded host; each is read once for all tests. */
function factsOf(name: HostFixture): Promise<Joined> {
  const made =
    joined.get(name) ??
    (async () => {
      const host = await fixtureHost(name);
      const readings = await readOnce(host);
      const { kind, uid } = host;
      const about = { kind, name: host.name, uid, dockerEndpoint: host.docker.endpoint };
      return { readings, facts: joinFacts(readings, { now: host.now(), host: about }) };
    })();
  joined.set(name, made);
  return made;
}

/** `0.0.0.0:7000-7003->7000-7003/tcp` as one entry for each port; a port 0 stands for a routed one and has no socket. */
function parsePs(text: string): { proto: string; address: string; port: number; target: number }[] {
  const [, address, from, to, inner, proto] = /^\[?(.*?)\]?:(\d+)(?:-(\d+))?->(\d+)(?:-\d+)?\/(\w+)$/.exec(text) ?? [];
  assert.ok(address !== undefined && proto !== undefined, `cannot parse ${text}`);
  const first = parse(number(), Number(from));
  const count = to === undefined ? 1 : Number(to) - first + 1;
  return Array.from({ length: first === 0 ? 0 : count }, (_, i) => ({
    proto,
    address,
    port: first + i,
    target: Number(inner) + i,
  }));
}

/** Somebody who asks, wherever: the host, its LANs, a neighbour and a container. */
const askers = ({ containers }: JoinedFacts): (From | undefined)[] => {
  const some = containers.find(({ state }) => state === 'running')?.id;
  return [
    undefined,
    { kind: 'address', address: '10.20.30.1' },
    ...(some === undefined ? [] : [{ kind: 'container' as const, containerId: some }]),
  ];
};

for (const name of hostFixtures) {
  test(`${name}: what is printed to see findings and verdicts without netdash can be pasted into a shell`, async () => {
    const { facts, readings } = await factsOf(name);
    const now = Date.parse(facts.takenAt);
    let seen = 0;
    for (const source of [[], ['rules'], ['inside']] as const) {
      const less: Readings = {
        ...readings,
        ...(source[0] === 'rules' && { netfilter: { state: 'failed', reason: 'needs root' } }),
        ...(source[0] === 'inside' && { inside: {} }),
      };
      const reach = reachability(less, facts);
      const findings = judge({ readings: less, facts: { ...facts, portChanges: [] }, now, previous: [] }, new Set());
      const confirms = findings.map(({ confirm }) => confirm);
      for (const from of askers(facts)) {
        const subjects: Subject[] = [
          ...facts.containers.map(({ id }) => ({ kind: 'container' as const, containerId: id })),
          ...[80, 81, 9090, 9091].map(port => ({ kind: 'port' as const, port })),
        ];
        confirms.push(...subjects.flatMap(each => reach.explain(each, from)).map(({ advice }) => advice.confirm));
      }
      for (const confirm of confirms.filter(each => each !== undefined)) {
        assertCommand(confirm);
        seen++;
      }
    }
    assert.ok(seen > 20, `only ${seen}`);
  });

  test(`${name}: the snapshot is valid and its sources were read`, async () => {
    const { facts } = await factsOf(name);
    parse(SnapshotSchema, { ...facts, findings: [], portChanges: [] });
    for (const source of ['docker', 'links', 'sockets', 'processes', 'netfilter']) {
      assert.notEqual(facts.sources[source]?.state, 'failed', `${source}: ${facts.sources[source]?.reason}`);
    }
  });

  test(`${name}: every interface inside a container has the veth that iflink and the bridge name`, async () => {
    const { facts } = await factsOf(name);
    const { links, fdb } = witness(name);
    const expected = new Set<string>();
    for (const [who, inner, veth] of links) {
      const container = facts.containers.find(item => item.name === who);
      assert.ok(container, who);
      const owner = container.sharesNetnsWith?.name ?? who;
      if (container.networkMode === 'macvlan') {
        assert.deepEqual([container.endpoints[0]?.parent, container.endpoints[0]?.veth], [veth, undefined]);
        continue;
      }
      expected.add(`${veth} ${owner} ${inner}`);
      if (owner !== who) continue;
      const endpoint = container.endpoints.find(item => item.interface === inner);
      assert.equal(endpoint?.veth, veth, `${who} ${inner}`);
      const learnt = fdb[endpoint?.mac ?? ''];
      if (learnt !== undefined) assert.equal(endpoint?.veth, learnt, `${who} ${inner}, forwarding table`);
    }
    const own = facts.links.filter(row => row.containerId !== undefined);
    const rows = new Set(own.map(row => `${row.veth} ${row.containerName} ${row.containerInterface}`));
    assert.deepEqual(rows, expected);
  });

  test(`${name}: every port of docker ps has its row, owner and target`, async () => {
    const { facts } = await factsOf(name);
    let seen = 0;
    for (const [who, ports] of Object.entries(witness(name).ports)) {
      for (const { proto, address, port, target } of ports.flatMap(parsePs)) {
        const rows = facts.listeners?.filter(
          row => row.proto === proto && row.address === address && row.port === port,
        );
        const row = rows?.[0];
        const text = `${who} ${address}:${port}/${proto}`;
        assert.equal(rows?.length, 1, text);
        assert.deepEqual([row?.owner.kind, row?.owner.containerName], ['container', who], text);
        assert.equal(row?.owner.via, name === '28-noproxy' ? 'dockerd' : 'docker-proxy', text);
        assert.equal(row?.target?.port, target, text);
        const container = facts.containers.find(item => item.name === who);
        const addresses = container?.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
        assert.ok(addresses?.includes(row?.target?.address), `${text} leads to ${row?.target?.address}`);
        const published = container?.publishedPorts.filter(
          item => item.proto === proto && item.hostIp === address && item.hostPort === port,
        );
        assert.deepEqual(
          published?.map(item => item.containerPort),
          [target],
          text,
        );
        seen++;
      }
    }
    assert.ok(seen > 20, `only ${seen} ports seen`);
  });

  test(`${name}: every socket of the host has one row, and nobody's is called Docker's`, async () => {
    const { facts, readings } = await factsOf(name);
    assert.equal(facts.listeners?.length, readings.sockets.value?.listeners.length);
    const others = (facts.listeners ?? []).filter(
      row => row.owner.via !== 'docker-proxy' && row.owner.via !== 'dockerd',
    );
    assert.deepEqual(
      others.map(row => [row.address, row.port, row.process, row.owner.containerName]),
      [
        ['10.20.30.100', 80, 'httpd', 'web1'],
        ['10.20.30.200', 80, 'busybox', undefined],
        ['::', 9090, 'busybox', undefined],
        ['127.0.0.1', 9091, 'busybox', undefined],
      ],
    );
  });
}

/** Sources whose loss is tried: docker and links whole, what root alone sees of sockets, and insides one by one. */
const losable = ['docker', 'links', 'netfilter', 'processes', 'openers', 'cgroups'] as const;

function lose(readings: Readings, lost: readonly (typeof losable)[number][], insides: readonly string[]): Readings {
  const failed = { state: 'failed', reason: 'lost' } as const;
  const rest: Readings = { ...readings };
  for (const name of ['docker', 'links', 'netfilter', 'processes'] as const)
    if (lost.includes(name)) rest[name] = failed;
  const { value } = rest.sockets;
  const listeners = value?.listeners.map(({ processes, cgroup, ...socket }) => ({
    ...socket,
    ...(lost.includes('openers') ? {} : { processes }),
    ...(lost.includes('cgroups') ? {} : { cgroup }),
  }));
  if (value && listeners) rest.sockets = { ...rest.sockets, value: { ...value, listeners, ownersReason: 'lost' } };
  rest.inside = { ...rest.inside, ...Object.fromEntries(insides.map(id => [id, failed])) };
  return rest;
}

test('losing any sources turns facts into unknown ones, never into others', async () => {
  const names = constantFrom(...hostFixtures);
  await check(
    asyncProperty(
      names,
      subarray([...losable]),
      infiniteStream(constantFrom(true, false)),
      async (name, lost, dice) => {
        const { facts, readings } = await factsOf(name);
        const insides = Object.keys(readings.inside).filter(() => dice.next().value);
        const host = { kind: 'recording', name, uid: 0, dockerEndpoint: '' } as const;
        const less = joinFacts(lose(readings, lost, insides), { now: 0, host });
        parse(SnapshotSchema, { ...less, findings: [], portChanges: [] });
        for (const [i, row] of (less.listeners ?? []).entries()) {
          const was = facts.listeners?.[i];
          assert.ok(was, `row ${i}`);
          const text = `${row.address}:${row.port} without ${lost.join()}`;
          if (row.owner.kind === 'container') assert.equal(row.owner.containerId, was.owner.containerId, text);
          if (row.owner.kind === 'process') assert.equal(was.owner.kind, 'process', text);
          if (row.owner.kind === 'unknown' || row.pid === null) assert.ok(row.owner.reason ?? row.unknown?.pid, text);
          if (row.target) assert.equal(row.target.address, was.target?.address, text);
        }
        for (const row of less.links) {
          const was = facts.links.find(item => item.ifindex === row.ifindex);
          if (row.containerId === undefined) {
            assert.ok(
              was?.containerId === undefined || row.unknown?.containerId,
              `${row.veth} says why it is nobody's`,
            );
          } else assert.equal(row.containerId, was?.containerId, row.veth);
        }
        for (const container of less.containers) {
          const was = facts.containers.find(item => item.id === container.id);
          assert.equal(container.networkMode, was?.networkMode);
          if (container.listeners === null) assert.ok(container.unknown?.listeners, container.name);
          const lacks = container.listeners !== null && container.listeners.length < (was?.listeners?.length ?? 0);
          assert.ok(!lacks || container.unknown?.listeners, `${container.name} says that listeners may be missing`);
          for (const [i, endpoint] of container.endpoints.entries()) {
            const before = was?.endpoints[i]?.veth;
            if (endpoint.veth === undefined) assert.ok(before === undefined || endpoint.unknown?.veth, container.name);
            else assert.equal(endpoint.veth, before, container.name);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});
