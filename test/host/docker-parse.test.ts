/** Docker's answers as readings: those of recorded daemons, the shapes known to differ, and answers damaged at random. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseInspect, parsePortMap, parsePorts } from '../../source/host/docker-container.ts';
import { parseEngine, parseNetworks, parseServices } from '../../source/host/docker-engine.ts';
import {
  endedStates,
  needsInspect,
  parseList,
  pollCandidates,
  readingFromList,
} from '../../source/host/docker-list.ts';
import { redact } from '../../source/host/docker-redact.ts';
import {
  inspectContainer,
  listContainers,
  readContainers,
  readDocker,
  readEndedContainers,
} from '../../source/host/docker.ts';
import { HostError, type Host } from '../../source/host/host.ts';
import { isObject } from '../../source/host/json.ts';
import type { ContainerState } from '../../source/host/readings.ts';
import { fixtureHost, fixtureRecording, hostFixtures } from '../fixtures/hosts.ts';
import { rounds } from '../rounds.ts';

/** All answers of a recorded daemon. */
async function answers(): Promise<{ path: string; answer: unknown }[]> {
  const recordings = await Promise.all(hostFixtures.map(fixtureRecording));
  return recordings.flatMap(({ frames }) =>
    Object.entries(frames[0]!.docker ?? {}).flatMap(([path, given]) =>
      'answer' in given ? [{ path, answer: given.answer }] : [],
    ),
  );
}

const mapped = ({ hostPort }: { hostPort: string }) => hostPort !== '';
const inOneOrder = (value: object) => JSON.stringify(value, Object.keys(value).sort());

for (const name of hostFixtures) {
  test(`Docker of fixture ${name} is read whole`, async () => {
    const { value, missing } = await readDocker(await fixtureHost(name));
    assert.equal(missing, undefined);
    assert.equal(value.engine.local, true, value.engine.localReason);
    const byName = new Map(value.containers.map(container => [container.name, container]));
    const web = byName.get('web')!;
    assert.equal(web.state, 'running');
    assert.deepEqual(web.requestedPorts, [{ proto: 'tcp', containerPort: 80, hostIp: '', hostPort: '8080' }]);
    const published = web.publishedPorts.map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`).sort();
    assert.deepEqual(published, name === '28-noproxy' ? ['0.0.0.0 8080'] : ['0.0.0.0 8080', ':: 8080']);
    assert.equal(web.endpoints[0]?.ipv4, '172.17.0.2');
    assert.match(web.endpoints[0]?.mac ?? '', /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.equal(byName.get('shared')!.networkMode, `container:${web.id}`);
    assert.deepEqual(byName.get('linked')!.links, ['web:w']);
    assert.match(byName.get('hostclash')!.error, /address already in use/);
    assert.equal(byName.get('hostclash')!.exitCode, 128);
    assert.equal(byName.get('hostclash')!.pid, 0);
    assert.deepEqual(byName.get('dbpub')!.requestedPorts.length, 1);
    assert.deepEqual(byName.get('dbpub')!.publishedPorts, []);
    const six = byName.get('six')!.endpoints[0]!;
    assert.match(six.ipv6 ?? '', /^fd00:1::/);
    assert.equal(six.ipv6PrefixLength, 64);
    const networks = new Map(value.networks.map(network => [network.name, network]));
    assert.equal(networks.get('bridge')!.options['com.docker.network.bridge.name'], 'docker0');
    assert.equal(networks.get('backend')!.internal, true);
    assert.equal(networks.get('v6net')!.ipv6, true);
    assert.deepEqual(networks.get('host')!.ipam, []);
  });

  test(`the list of fixture ${name} agrees with its inspects on what both tell`, async () => {
    const host = await fixtureHost(name);
    for (const entry of await listContainers(host)) {
      const single = await inspectContainer(host, entry.id);
      // Captured one after the other, these had been started again in between.
      if (single.state !== entry.state || single.name === 'myapp2' || single.name === 'clash') continue;
      assert.equal(single.name, entry.name);
      assert.deepEqual(
        single.publishedPorts.filter(mapped).map(inOneOrder).sort(),
        entry.publishedPorts.map(inOneOrder).sort(),
        entry.name,
      );
      if (entry.state !== 'running') continue;
      assert.deepEqual(
        single.endpoints.map(({ network, ipv4 }) => [network, ipv4]),
        entry.endpoints.map(({ network, ipv4 }) => [network, ipv4]),
        entry.name,
      );
    }
  });
}

test('containers that did not change keep their reading, and only the changed are inspected', async () => {
  const host = await fixtureHost('28');
  const asked: string[] = [];
  const { docker } = host;
  const watched = {
    ...host,
    docker: {
      ...docker,
      get: (path: string) => {
        asked.push(path);
        return docker.get(path);
      },
    },
  };
  const first = await readContainers(watched);
  asked.length = 0;
  const second = await readContainers(watched, first.value);
  assert.deepEqual(asked, ['/containers/json?all=1']);
  assert.ok(second.value.every((container, index) => container === first.value[index]));
  const { id } = first.value[3]!;
  asked.length = 0;
  const third = await readContainers(watched, first.value, new Set([id]));
  assert.deepEqual(asked, ['/containers/json?all=1', `/containers/${id}/json`]);
  assert.notEqual(third.value[3], first.value[3]);
});

test('of the containers that have ended alone a list tells whether all is as it was, and asks for the whole list where it is not', async () => {
  const host = await fixtureHost('28');
  const { value: all } = await readContainers(host);
  const ended = all.filter(({ state }) => endedStates.includes(state));
  assert.ok(ended.length > 1 && ended.length < all.length);
  const list = (await host.docker.get('/containers/json?all=1')) as { Id: string; State: string; Names: string[] }[];
  let answer = list.filter(({ State }) => endedStates.includes(State as ContainerState));
  const asked: string[] = [];
  const get = (path: string): Promise<unknown> => {
    asked.push(path);
    return path.startsWith('/containers/json') ? Promise.resolve(answer) : host.docker.get(path);
  };
  const filtered: Host = { ...host, docker: { ...host.docker, get } };
  const same = await readEndedContainers(filtered, all, new Set());
  assert.equal(new URLSearchParams(asked[0]!.split('?')[1]).get('filters'), '{"status":["created","exited","dead"]}');
  assert.equal(asked.length, 1);
  assert.ok(same?.value.length === all.length && same.value.every((container, index) => container === all[index]));
  asked.length = 0;
  const turn = await readEndedContainers(filtered, all, new Set([ended[0]!.id]));
  assert.deepEqual(asked.slice(1), [`/containers/${ended[0]!.id}/json`]);
  assert.equal(turn?.value.length, all.length);

  const { id: other } = all.find(({ state }) => state === 'running')!;
  assert.equal(
    await readEndedContainers(filtered, all, new Set([other])),
    undefined,
    'one that runs is to be inspected',
  );

  const whole = answer;
  answer = whole.slice(1);
  assert.equal(await readEndedContainers(filtered, all, new Set()), undefined, 'one runs again, or is gone');
  const running = list.find(({ State }) => State === 'running')!;
  answer = [...whole, { ...running, State: 'exited' }];
  assert.equal(await readEndedContainers(filtered, all, new Set()), undefined, 'another has ended');
  answer = whole.with(0, { ...running, State: 'exited' });
  assert.equal(await readEndedContainers(filtered, all, new Set()), undefined, 'another in its place');
  asked.length = 0;
  answer = whole.with(0, { ...whole[0]!, Names: ['/renamed'] });
  await readEndedContainers(filtered, all, new Set());
  assert.deepEqual(asked.slice(1), [`/containers/${whole[0]!.Id}/json`], 'the list says something new of it');
});

/** A host whose daemon lists 40 containers and answers no inspect in time. */
function silentHost(asked: string[], version: () => Promise<unknown>): Host {
  const list = Array.from({ length: 40 }, (_, index) => ({
    Id: index.toString(16).padStart(64, '0'),
    Names: [`/c${index}`],
    State: 'running',
    Status: 'Up 1 second',
  }));
  const get = (path: string): Promise<unknown> => {
    asked.push(path);
    if (path.startsWith('/containers/json')) return Promise.resolve(list);
    return path === '/version' ? version() : Promise.reject(new HostError('timeout', 'no answer'));
  };
  const docker = { endpoint: 'unix:///x', get, events: () => assert.fail('follows') };
  return { kind: 'live', name: 'x', uid: 0, now: () => 0, docker } as Partial<Host> as Host;
}

test('a daemon that stops answering amid its containers is not asked for each of them, and what the list says is there', async () => {
  const asked: string[] = [];
  const host = silentHost(asked, () => Promise.reject(new HostError('timeout', 'no answer')));
  const { value, missing } = await readContainers(host);
  assert.equal(value.length, 40);
  assert.ok(value.every(({ inspectError, state }) => inspectError !== undefined && state === 'running'));
  assert.match(missing ?? '', /and 39 more/);
  const inspects = asked.filter(path => path.endsWith('/json'));
  assert.equal(asked.filter(path => path === '/version').length, 1);
  assert.ok(inspects.length < 10, `${inspects.length} inspects`);
  // Containers whose locks are held say nothing of the daemon, nor of the others.
  asked.length = 0;
  await readContainers(silentHost(asked, () => Promise.resolve({})));
  assert.equal(asked.filter(path => path.endsWith('/json')).length, 40);
});

const listed = (changes: object) =>
  parseList([
    {
      Id: 'a'.repeat(64),
      Names: ['/db', '/web/db'],
      Image: 'i',
      Created: 5,
      State: 'running',
      Status: 'Up 3 seconds',
      Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 32768, Type: 'tcp' }],
      HostConfig: { NetworkMode: 'default' },
      NetworkSettings: { Networks: { bridge: { EndpointID: 'e1', IPAddress: '172.17.0.2' } } },
      ...changes,
    },
  ])[0]!;

test('a change that the list shows asks for an inspect, a mere second passing does not', () => {
  const entry = listed({});
  assert.equal(entry.name, 'db');
  const reading = { ...readingFromList(entry, '', 1), inspectError: undefined, listSignature: entry.signature };
  assert.equal(needsInspect(entry, undefined), true);
  assert.equal(needsInspect(entry, reading), false);
  assert.equal(needsInspect(listed({ Status: 'Up 2 hours' }), reading), false);
  const changes = [
    { State: 'exited', Status: 'Exited (1) 1 second ago', Ports: [] },
    { Names: ['/other'] },
    { Status: 'Up 3 seconds (unhealthy)' },
    { Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 32769, Type: 'tcp' }] },
    { NetworkSettings: { Networks: { bridge: { EndpointID: 'e2', IPAddress: '172.17.0.2' } } } },
    { NetworkSettings: { Networks: {} } },
  ];
  for (const change of changes) assert.equal(needsInspect(listed(change), reading), true, JSON.stringify(change));
});

test('a container that only the list knows says so', () => {
  const entry = parseList([
    { Id: 'b'.repeat(64), Names: ['/x'], State: 'exited', Status: 'Exited (137) 2 days ago', Created: 7, Ports: null },
  ])[0]!;
  const reading = readingFromList(entry, 'no answer', 9);
  assert.equal(reading.exitCode, 137);
  assert.equal(reading.inspectError, 'no answer');
  assert.equal(reading.created, 7000);
  assert.deepEqual(reading.publishedPorts, []);
});

const inspected = (id: string, State: object, at: number) => parseInspect({ Id: id, State }, id, at);

test('what does not run is polled, the one inspected longest ago first', () => {
  const containers = [
    inspected('a', { Status: 'exited' }, 30),
    inspected('b', { Status: 'running' }, 1),
    inspected('c', { Status: 'created' }, 20),
    inspected('d', { Status: 'paused' }, 2),
  ];
  assert.deepEqual(pollCandidates(containers), ['c', 'a']);
});

test('port maps: nothing bound, routed, ephemeral, ranges, Podman’s numbers', () => {
  assert.deepEqual(parsePortMap({}), []);
  assert.deepEqual(parsePortMap(null), []);
  assert.deepEqual(parsePortMap({ '80/tcp': null, '81/tcp': [] }), []);
  const binding = { proto: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: '' };
  assert.deepEqual(parsePortMap({ '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }] }), [binding]);
  assert.deepEqual(parsePortMap({ '80': [{ HostIp: '0:0::1', HostPort: 8080 }] }), [
    { proto: 'tcp', containerPort: 80, hostIp: '::1', hostPort: '8080' },
  ]);
  assert.deepEqual(
    parsePorts('7000-7002/udp').map(({ port }) => port),
    [7000, 7001, 7002],
  );
  for (const key of ['', 'x', '80/icmp', '9-3/tcp', '1-70000/tcp', '80/tcp/x']) assert.deepEqual(parsePorts(key), []);
});

test('an inspect answer without its parts is a reading that names them', () => {
  const reading = parseInspect({ Id: 'abc', HostConfig: {} }, 'abc', 3);
  assert.equal(reading.inspectError, "Docker's answer lacks State, NetworkSettings, Config");
  assert.equal(parseInspect(null, 'abc', 3).id, 'abc');
  assert.match(parseInspect({ State: { Status: 'flying' } }, 'a', 3).inspectError ?? '', /State\.Status/);
});

test('the engine: rootless, swarm manager, firewall backend; and with /info refused', () => {
  const engine = parseEngine(
    { Version: '29.7.2', ApiVersion: '1.54' },
    {
      ID: 'x',
      SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'],
      Swarm: { LocalNodeState: 'active', ControlAvailable: true },
      FirewallBackend: { Driver: 'nftables' },
    },
  );
  assert.equal(engine.rootless, true);
  assert.deepEqual(engine.swarm, { active: true, manager: true });
  assert.equal(engine.firewallBackend, 'nftables');
  const worker = parseEngine({}, { Swarm: { LocalNodeState: 'active', ControlAvailable: false } });
  assert.deepEqual(worker.swarm, { active: true, manager: false });
  assert.equal(parseEngine({ Version: '20.10.24', KernelVersion: '6.1' }, undefined).kernelVersion, '6.1');
});

test('networks: canonical subnets, gateways with a length, IPv6 only', () => {
  const [network] = parseNetworks([
    {
      Id: 'n',
      Name: 'x',
      Driver: 'bridge',
      EnableIPv4: false,
      EnableIPv6: true,
      IPAM: {
        Config: [
          { Subnet: 'FD00:0:1::5/64', Gateway: 'fd00:0:1::1/64' },
          { Subnet: 'not one' },
          { Subnet: '10.1.2.3/16', Gateway: '', IPRange: '10.1.128.0/17' },
        ],
      },
    },
  ]);
  assert.deepEqual(network!.ipam, [
    { subnet: 'fd00:0:1::/64', gateway: 'fd00:0:1::1' },
    { subnet: '10.1.0.0/16', ipRange: '10.1.128.0/17' },
  ]);
  assert.equal(network!.ipv4, false);
});

test('services: ports that swarm gave, none before it did', () => {
  const ports = [
    { Protocol: 'tcp', TargetPort: 80, PublishedPort: 30000, PublishMode: 'ingress' },
    { Protocol: 'udp', TargetPort: 53, PublishedPort: 53, PublishMode: 'host' },
    { TargetPort: 81 },
  ];
  assert.deepEqual(parseServices([{ ID: 's', Spec: { Name: 'web' }, Endpoint: { Ports: ports } }]), [
    {
      id: 's',
      name: 'web',
      ports: [
        { proto: 'tcp', targetPort: 80, publishedPort: 30000, mode: 'ingress' },
        { proto: 'udp', targetPort: 53, publishedPort: 53, mode: 'host' },
      ],
    },
  ]);
});

/** Every place in a JSON value. */
function places(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  const inner = Array.isArray(value) ? [...value.entries()] : isObject(value) ? Object.entries(value) : [];
  return [path, ...inner.flatMap(([key, item]) => places(item, [...path, key]))];
}

function replaced(value: unknown, [first, ...rest]: (string | number)[], by: unknown): unknown {
  if (first === undefined) return by;
  if (Array.isArray(value)) return value.map((item, index) => (index === first ? replaced(item, rest, by) : item));
  return isObject(value) ? { ...value, [first]: replaced(value[first], rest, by) } : value;
}

test('no damaged answer makes a parser throw', async () => {
  const known = await answers();
  const parse: Record<string, (answer: unknown) => unknown> = {
    '/version': answer => parseEngine(answer, undefined),
    '/info': answer => parseEngine(undefined, answer),
    '/networks': parseNetworks,
    '/containers/json?all=1': parseList,
  };
  fc.assert(
    fc.property(
      fc.constantFrom(...known),
      fc.array(fc.tuple(fc.nat(), fc.jsonValue()), { minLength: 1, maxLength: 4 }),
      ({ path, answer }, damages) => {
        let damaged = answer;
        for (const [at, by] of damages) {
          const all = places(damaged);
          damaged = replaced(damaged, all[at % all.length]!, by);
        }
        const result = (parse[path] ?? (given => parseInspect(given, 'id', 1)))(damaged);
        assert.equal(typeof result, 'object');
        // What is kept is of the promised kinds whatever the answer was.
        if (!parse[path]) {
          const { pid, name, publishedPorts, dns } = parseInspect(damaged, 'id', 1);
          assert.equal(typeof pid, 'number');
          assert.equal(typeof name, 'string');
          assert.ok(publishedPorts.every(({ hostPort, hostIp }) => typeof hostPort + typeof hostIp === 'stringstring'));
          assert.ok(dns.every(server => typeof server === 'string'));
        }
      },
    ),
    { numRuns: rounds(300) },
  );
});

test('environments and credentials are taken out wherever they are', () => {
  const answer = {
    Config: { Env: ['PASSWORD=hunter2'], Labels: { a: 'b' }, Cmd: ['x'] },
    HostConfig: { LogConfig: { Config: { 'splunk-token': 'hunter2' } }, PortBindings: {} },
    State: { Health: { Status: 'healthy', Log: [{ Output: 'hunter2' }] } },
    Spec: [{ TaskTemplate: { ContainerSpec: { Env: ['hunter2'] } } }],
    HttpProxy: 'http://me:hunter2@proxy',
  };
  const kept = redact(answer);
  assert.ok(!JSON.stringify(kept).includes('hunter2'));
  assert.deepEqual(kept, {
    Config: { Labels: { a: 'b' }, Cmd: ['x'] },
    HostConfig: { PortBindings: {} },
    State: { Health: { Status: 'healthy' } },
    Spec: [{ TaskTemplate: { ContainerSpec: {} } }],
  });
});
