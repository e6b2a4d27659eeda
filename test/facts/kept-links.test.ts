/** A link map of which parts are kept from one reading to the next says what one made anew would say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, nat, property, tuple } from 'fast-check';
import { type LinkMap, mapLinks } from '../../source/facts/link-map.ts';
import { mapNetns, type NetnsMap } from '../../source/facts/netns.ts';
import { modeIndex } from '../../source/facts/network-mode.ts';
import { networkFacts } from '../../source/facts/networks.ts';
import type { Network } from '../../source/facts/schema.ts';
import { reuse } from '../../source/facts/sharing.ts';
import type { ContainerReading, LinkReading, NetworkReading, Readings } from '../../source/host/readings.ts';
import { container, docker, endpoint, inner, inside, link, network, veth } from './build.ts';

interface World {
  containers: ContainerReading[];
  networks: NetworkReading[];
  links: LinkReading[];
  inside: Readings['inside'];
  impossible: string | undefined;
}

const app = network('app', { ipam: [{ subnet: '172.18.0.0/16' }] });
const appBridge = `br-${app.id.slice(0, 12)}`;
const gwbridge = network('docker_gwbridge', { options: { 'com.docker.network.bridge.name': 'docker_gwbridge' } });
const lan = network('lan', { driver: 'macvlan', options: { parent: 'eth0' } });
const overlay = network('ov', { driver: 'overlay' });

const begin = (): World => {
  const containers = [0, 1, 2].map(which =>
    container(`c${which}`, {
      endpoints: [
        endpoint('bridge', { ipv4: `172.17.0.${which + 2}`, mac: `02:0${which}` }),
        ...(which === 1 ? [endpoint('app', { ipv4: '172.18.0.2', gateway: '172.18.0.1', mac: '02:11' })] : []),
        ...(which === 2 ? [endpoint('lan', { mac: '02:22' }), endpoint('ov', { mac: '02:23' })] : []),
      ],
    }),
  );
  return {
    containers,
    networks: docker({
      networks: [network('bridge', { ipam: [{ subnet: '172.17.0.0/16' }] }), app, gwbridge, lan, overlay],
    }).networks,
    links: [
      link(1, 'lo'),
      link(2, 'eth0'),
      link(3, 'docker0', {
        kind: 'bridge',
        addresses: [{ family: 4, address: '172.17.0.1', prefixLength: 16, scope: 'global' }],
      }),
      link(4, appBridge, { kind: 'bridge' }),
      ...[0, 1, 2].map(which => veth(10 + which, 2, which + 1)),
      veth(20, 3, 2, appBridge),
      veth(21, 5, 3, 'docker_gwbridge'),
      veth(30, 7, 9, undefined),
    ],
    inside: Object.assign({}, ...containers.map((each, which) => inside(each, insideOf(which)))) as World['inside'],
    impossible: undefined,
  };
};

const insideOf = (which: number) => [
  inner('eth0', 2, 10 + which, { mac: `02:0${which}`, ipv4: `172.17.0.${which + 2}` }),
  ...(which === 1 ? [inner('eth1', 3, 20, { mac: '02:11', ipv4: '172.18.0.2' })] : []),
  ...(which === 2
    ? [
        inner('eth1', 3, 2, { mac: '02:22' }),
        inner('eth2', 4, 12, { mac: '02:23' }),
        inner('eth3', 5, 21, { ipv4: '172.20.0.2' }),
      ]
    : []),
];

const pick = <T>(list: readonly T[], which: number): T | undefined => list[which % Math.max(1, list.length)];
const readingOf = (world: World, which: number) => pick(Object.values(world.inside), which);
const vethOf = ({ links }: World, which: number): LinkReading | undefined =>
  pick(
    links.filter(({ kind }) => kind === 'veth'),
    which,
  );

const changes: Record<string, (world: World, which: number) => void> = {
  'a veth goes': ({ links }, which) => void links.splice(4 + (which % 6), 1),
  'a veth comes': ({ links }, which) => {
    const made = veth(40 + (which % 5), 2 + (which % 4), which % 5);
    if (links.every(({ ifindex }) => ifindex !== made.ifindex)) links.push(made);
  },
  'a veth leads into another netns': (world, which) => {
    const found = vethOf(world, which);
    if (found) found.peerNetnsId = which % 5;
  },
  'a veth leads to another interface': (world, which) => {
    const found = vethOf(world, which);
    if (found) found.peerIfindex = 2 + (which % 4);
  },
  'a veth leads nowhere else': (world, which) => void delete vethOf(world, which)?.peerNetnsId,
  'a veth hangs elsewhere': (world, which) => {
    const found = vethOf(world, which);
    if (found) found.master = ['docker0', appBridge, 'docker_gwbridge', 'br0'][which % 4];
  },
  'a link goes down': (world, which) => {
    const found = pick(world.links, which);
    if (found) found.up = !found.up;
  },
  'a link is renamed': (world, which) => {
    const found = pick(world.links, which);
    if (found) found.name = `renamed${which}`;
  },
  'a link gets an address': (world, which) => {
    const address = `172.${17 + (which % 2)}.0.${which % 200}`;
    pick(world.links, which)?.addresses.push({ family: 4, address, prefixLength: 16, scope: 'global' });
  },
  'links come in another order': world => void world.links.push(...world.links.splice(0, 3)),
  'an inside is not known': (world, which) => {
    const reading = readingOf(world, which);
    if (reading) Object.assign(reading, { state: 'failed', reason: `why ${which % 2}`, value: undefined });
  },
  'only the id of a netns is known': (world, which) => {
    const value = readingOf(world, which)?.value;
    if (value) Object.assign(value, { interfaces: undefined, interfacesReason: 'hidden', netnsId: 1 + (which % 3) });
  },
  'an inside is read': (world, which) => {
    const found = pick(world.containers, which);
    if (found) Object.assign(world.inside, inside(found, insideOf(which % 3)));
  },
  'an interface inside changes': (world, which) => {
    const item = pick(readingOf(world, which)?.value?.interfaces ?? [], which >> 2);
    if (item) item[which % 2 === 0 ? 'iflink' : 'ifindex'] = 2 + (which % 20);
  },
  'a container stops': ({ containers }, which) =>
    void Object.assign(pick(containers, which) ?? {}, { state: 'exited', pid: 0 }),
  'a container starts': ({ containers }, which) =>
    void Object.assign(pick(containers, which) ?? {}, { state: 'running', pid: 4000 + which }),
  'a container is renamed': ({ containers }, which) =>
    void Object.assign(pick(containers, which) ?? {}, { name: `n${which}` }),
  'a container goes': ({ containers }, which) => void containers.splice(which % 3, 1),
  'containers come in another order': world => void world.containers.push(...world.containers.splice(0, 1)),
  'one joins the netns of another': ({ containers }, which) => {
    const [joining, partner] = [pick(containers, which), pick(containers, which + 1)];
    if (joining && partner !== joining) joining.networkMode = `container:${partner?.id}`;
  },
  'an endpoint has another address': ({ containers }, which) => {
    const found = pick(pick(containers, which)?.endpoints ?? [], which >> 2);
    if (found) found.ipv4 = `172.${17 + (which % 2)}.0.${which % 9}`;
  },
  'an endpoint tells another gateway': ({ containers }, which) => {
    const found = pick(pick(containers, which)?.endpoints ?? [], which >> 2);
    if (found) found.gateway = `172.${17 + (which % 2)}.0.${which % 9}`;
  },
  'an endpoint goes': ({ containers }, which) => void pick(containers, which)?.endpoints.splice(which >> 2, 1),
  'a network goes': ({ networks }, which) => void networks.splice(which % 5, 1),
  'a network is renamed': ({ networks }, which) =>
    void Object.assign(pick(networks, which) ?? {}, { name: `net${which}` }),
  'a network has another driver': ({ networks }, which) =>
    void Object.assign(pick(networks, which) ?? {}, { driver: ['bridge', 'overlay', 'macvlan'][which % 3] }),
  'Docker is elsewhere, or here again': world =>
    void (world.impossible = world.impossible === undefined ? 'why' : undefined),
};

interface Made {
  netns: NetnsMap;
  linkMap: LinkMap;
  facts: Network[];
}

/** All that is made of these readings, what was made before being at hand or not. */
function make(world: World, before?: Made): Made {
  const { containers, networks, links, impossible } = world;
  const index = modeIndex(containers, networks);
  const netns = mapNetns(containers, world.inside, index, before?.netns);
  const linkMap = mapLinks({ links, networks, namespaces: netns.namespaces, index, impossible }, before?.linkMap);
  const facts = reuse(before?.facts, networkFacts(networks, { containers, index, linkMap, links }));
  return { netns, linkMap, facts };
}

test('a link map that is kept in part is the one made anew, whatever changes', () => {
  check(
    property(array(tuple(constantFrom(...Object.keys(changes)), nat(997)), { minLength: 1, maxLength: 14 }), all => {
      let world = reuse(undefined, begin());
      let made = make(world);
      for (const [name, which] of all) {
        const changed = structuredClone(world);
        changes[name]!(changed, which);
        world = reuse(world, changed);
        const before = made;
        made = make(world, before);
        const fresh = make(structuredClone(world));
        assert.deepEqual(made.netns, fresh.netns, `namespaces after: ${name}`);
        assert.deepEqual(made.linkMap.links, fresh.linkMap.links, `links after: ${name}`);
        assert.deepEqual([...made.linkMap.ends], [...fresh.linkMap.ends], `ends after: ${name}`);
        assert.deepEqual(made.facts, fresh.facts, `networks after: ${name}`);
        const known = new Map(before.linkMap.links.map(row => [row.ifindex, row]));
        for (const row of made.linkMap.links) {
          const last = known.get(row.ifindex);
          if (reuse(last, row) === last) assert.equal(row, last, `made anew for nothing after: ${name}`);
        }
        const again = make(world, made);
        for (const [netns, ends] of again.linkMap.ends) assert.equal(made.linkMap.ends.get(netns), ends);
        assert.equal(again.linkMap.links, made.linkMap.links);
        assert.equal(again.facts, made.facts);
      }
    }),
    { numRuns: 400 },
  );
});
