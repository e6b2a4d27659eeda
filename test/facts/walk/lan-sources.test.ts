/** Who "any neighbour" of an interface is, where its addresses are alone in their prefixes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AddressReading, Readings, RouteReading } from '../../../source/host/readings.ts';
import { joinFacts } from '../../../source/facts/join.ts';
import { reachability } from '../../../source/facts/reachability.ts';
import { inputVerdict } from '../../../source/facts/walk/host-firewall.ts';
import { judging } from '../judging.ts';
import { now, ok, socket } from '../build.ts';
import { ask, lan, route, walkReadings, walkWorld, type HostOptions } from './host.ts';

const host = '10.77.0.100';

const address = (text: string, prefixLength: number): AddressReading => ({
  family: text.includes(':') ? 6 : 4,
  address: text,
  prefixLength,
  scope: text.startsWith('fe80:') ? 'link' : 'global',
});

/** eth0 with these addresses and routes alone, and a listener on both wildcards at port 22. */
const eth0 =
  (addresses: AddressReading[], routes: RouteReading[]): HostOptions['change'] =>
  (same: Readings) => {
    const value = same.links.value!;
    const local = addresses.map(({ family, address: text }) => ({
      ...route(`${text}/${family === 4 ? 32 : 128}`, 'eth0', 'local', 'local', text),
      family,
    }));
    const links = value.links.map(each => (each.name === 'eth0' ? { ...each, addresses } : each));
    const others = value.routes.filter(({ device }) => device !== 'eth0');
    return {
      ...same,
      links: ok({ ...value, links, routes: [...others, ...local, ...routes] }),
      sockets: ok({ ...same.sockets.value!, listeners: [...same.sockets.value!.listeners, socket('::', 22)] }),
    };
  };

const boot = (destination: string, gateway?: string): RouteReading => ({
  ...route(destination, 'eth0'),
  family: (gateway ?? destination).includes(':') ? 6 : 4,
  protocol: 'boot',
  ...(gateway !== undefined && { gateway }),
});

const six = (destination: string): RouteReading => ({ ...route(destination, 'eth0'), family: 6 });

const single = [address(host, 32)];
const byGateway = eth0(single, [boot('10.77.0.1/32'), boot('default', '10.77.0.1')]);
const drop = (source: string) => [['filter', 'INPUT', `-s ${source} -p tcp -m tcp --dport 22 -j DROP`]] as const;
const word = (options: HostOptions, to = host, port = 22) => ask(walkWorld(options), lan, to, port).verdict;

describe('the neighbours of an address that is alone in its prefix', () => {
  test('are the gateway: a cloud host is reached, and nothing of it is said to be blocked', () => {
    assert.equal(word({ change: byGateway }), 'reachable');
    assert.equal(word({ change: byGateway }, host, 8000), 'reachable');
    assert.equal(word({ change: byGateway, rules: drop('10.77.0.1/32') }), 'blocked');
    const kernel = { interfaces: { eth0: { forwarding4: true, routeLocalnet: false, rpFilter: 1 } } };
    assert.equal(word({ change: byGateway, kernel }), 'reachable');
    const found = judging(walkReadings({ change: byGateway })).filter(({ code }) => code === 'blocked');
    assert.deepEqual(found, []);
    const asked = { interface: 'eth0', address: host, port: 22, proto: 'tcp' } as const;
    assert.equal(inputVerdict(walkWorld({ change: byGateway, rules: drop('10.77.0.1/32') }), asked).kind, 'closed');
  });

  test('are the gateway that only its route calls on-link', () => {
    assert.equal(word({ change: eth0(single, [boot('default', '172.31.1.1')]) }), 'reachable');
  });

  test('are its peer before all others', () => {
    const routes = [route('10.99.0.1/32', 'eth0', 'main', 'unicast', host), boot('default', '10.77.0.1')];
    assert.equal(word({ change: eth0(single, routes) }), 'reachable');
    assert.equal(word({ change: eth0(single, routes), rules: drop('10.99.0.1/32') }), 'blocked');
    assert.equal(word({ change: eth0(single, routes), rules: drop('10.77.0.1/32') }), 'reachable');
  });

  test('are those whom its routes name, where these are met alike', () => {
    const change = eth0(single, [boot('10.99.0.2/32'), boot('10.99.0.3/32')]);
    assert.equal(word({ change }), 'reachable');
    const { verdict, decidedBy } = ask(walkWorld({ change, rules: drop('10.99.0.3/32') }), lan, host, 22);
    assert.equal(verdict, 'unknown');
    assert.match(decidedBy?.detail ?? '', /^it depends on who asks: by its routes, eth0 has neighbours apart/);
    assert.equal(word({ change, rules: drop('10.99.0.0/24') }), 'blocked');
  });

  test('are all who are beyond a default route without a gateway, and none of the networks of containers', () => {
    const change = eth0(single, [boot('default')]);
    assert.equal(word({ change }), 'reachable');
    assert.equal(word({ change, rules: drop('203.0.113.0/24') }), 'unknown');
    assert.equal(word({ change, rules: drop('172.17.0.0/16') }), 'reachable');
    assert.equal(word({ change, rules: drop('0.0.0.0/0') }), 'blocked');
  });

  test('are not known where no route names one', () => {
    const { verdict, decidedBy } = ask(walkWorld({ change: eth0(single, []) }), lan, host, 22);
    assert.equal(verdict, 'unknown');
    assert.equal(
      decidedBy?.detail,
      'who else is on the network of eth0 is not known: its addresses (10.77.0.100) are alone in their prefixes, and no route names a neighbour',
    );
  });

  test('are those of the wider prefix beside it', () => {
    const wide = route('10.77.0.0/24', 'eth0', 'main', 'unicast', host);
    const change = eth0([address('10.77.0.250', 32), address(host, 24)], [wide]);
    for (const at of ['10.77.0.250', host]) {
      assert.equal(word({ change }, at), 'reachable');
      assert.equal(word({ change, rules: drop('10.77.0.0/24') }, at), 'blocked');
      assert.equal(word({ change, rules: drop('10.77.0.7/32') }, at), 'unknown');
    }
    const readings = walkReadings({ change });
    const about = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
    const reach = reachability(readings, joinFacts(readings, { now, host: about }));
    const asked = reach.explain({ kind: 'port', port: 22, proto: 'tcp' }, { kind: 'lan' });
    assert.deepEqual(
      asked.map(({ question }) => question.to.address),
      [host],
    );
    const pair = eth0([address(host, 31)], [route('10.77.0.100/31', 'eth0', 'main', 'unicast', host)]);
    assert.equal(word({ change: pair }), 'reachable');
  });

  test('are found for IPv6 in the same way', () => {
    const own = [address('fe80::2', 64), address('fd00:77::250', 128)];
    const beside = eth0(
      [...own, address('fd00:77::100', 64)],
      [six('fd00:77::250/128'), six('fd00:77::/64'), six('fe80::/64')],
    );
    assert.equal(word({ change: beside }, 'fd00:77::250'), 'reachable');
    const routed = eth0(own, [six('fd00:77::250/128'), six('fe80::/64'), boot('default', 'fe80::1')]);
    assert.equal(word({ change: routed }, 'fd00:77::250'), 'reachable');
    const announced = eth0(own, [six('fd00:77::250/128'), six('fe80::/64'), boot('fd00:77::/64')]);
    assert.equal(word({ change: announced }, 'fd00:77::250'), 'reachable');
    const alone = eth0(own, [six('fd00:77::250/128'), six('fe80::/64')]);
    assert.equal(word({ change: alone }, 'fd00:77::250'), 'unknown');
    assert.equal(word({ change: alone }, 'fe80::2'), 'reachable');
  });
});

const black = (destination: string): RouteReading => {
  const { device: _, ...rest } = boot(destination);
  return { ...rest, type: 'blackhole' };
};

const halves = ['10.77.0.0/25', '10.77.0.128/25'];

/** Containers that refuse to answer both halves of the LAN. */
const cutInside: HostOptions['change'] = same => ({
  ...same,
  inside: Object.fromEntries(
    Object.entries(same.inside).map(([id, reading]) => {
      const cut = halves.map(half => ({ ...route(half, 'eth0'), type: 'unreachable' }));
      return [id, { ...reading, value: { ...reading.value!, routes: [...(reading.value?.routes ?? []), ...cut] } }];
    }),
  ),
});

describe('routes to parts of a LAN', () => {
  const wide = [address(host, 24)];
  const lanRoute = route('10.77.0.0/24', 'eth0', 'main', 'unicast', host);
  const among = (...routes: RouteReading[]): HostOptions => ({ change: eth0(wide, [lanRoute, ...routes]) });

  test('that cover all of it leave nobody who is answered', () => {
    for (const port of [22, 8000]) {
      assert.equal(word(among(), host, port), 'reachable');
      assert.equal(word(among(...halves.map(black)), host, port), 'blocked');
      assert.equal(
        word(among(black('10.77.0.0/25'), black('10.77.0.128/26'), black('10.77.0.192/26')), host, port),
        'blocked',
      );
      const vpn = halves.map(half => route(half, 'wg0'));
      assert.notEqual(word(among(...vpn), host, port), 'reachable');
    }
  });

  test('that cover half of it make it a matter of who asks', () => {
    const { verdict, decidedBy } = ask(walkWorld(among(black('10.77.0.0/25'))), lan, host, 22);
    assert.equal(verdict, 'unknown');
    assert.equal(
      decidedBy?.detail,
      'it depends on who asks: parts of the network of eth0 have routes of their own (10.77.0.0-10.77.0.127)',
    );
    assert.equal(
      ask(walkWorld(among(black('10.77.0.0/25'))), { kind: 'lan', interface: 'eth0', address: '10.77.0.7' }, host, 22)
        .verdict,
      'blocked',
    );
    assert.equal(
      ask(walkWorld(among(black('10.77.0.0/25'))), { kind: 'lan', interface: 'eth0', address: '10.77.0.207' }, host, 22)
        .verdict,
      'reachable',
    );
    // A narrower one that leads to the LAN all the same.
    assert.equal(word(among(route('10.77.0.0/25', 'eth0'))), 'reachable');
    assert.equal(
      word(among(black('10.77.0.0/25'), route('10.77.0.0/26', 'eth0'), route('10.77.0.64/26', 'eth0'))),
      'reachable',
    );
  });

  test('say nothing where a single neighbour is meant, or one address in a thousand', () => {
    assert.equal(word(among(black('10.77.0.7/32'))), 'reachable');
    assert.equal(word(among(route('10.77.0.7/32', 'wg0'), route('10.77.0.8/32', 'wg0'))), 'reachable');
    assert.equal(word(among(black('10.77.0.8/30'))), 'unknown');
    const broad = (...routes: RouteReading[]): HostOptions => ({
      change: eth0([address(host, 16)], [route('10.77.0.0/16', 'eth0', 'main', 'unicast', host), ...routes]),
    });
    assert.equal(word(broad(black('10.77.9.0/27'))), 'reachable');
    assert.equal(word(broad(black('10.77.9.0/24'))), 'unknown');
    // Of a /30 it is the only neighbour there can be.
    const pair: HostOptions = {
      change: eth0(
        [address('10.77.0.101', 30)],
        [route('10.77.0.100/30', 'eth0', 'main', 'unicast', '10.77.0.101'), black('10.77.0.102/32')],
      ),
    };
    assert.notEqual(word(pair, '10.77.0.101'), 'reachable');
  });

  test('count for IPv6 as well', () => {
    const own = [address('fe80::2', 64), address('fd00:77::100', 64)];
    const base = [six('fd00:77::/64'), six('fe80::/64')];
    const cut = (destination: string) => ({ ...six(destination), type: 'blackhole' });
    const at = (...routes: RouteReading[]) => word({ change: eth0(own, [...base, ...routes]) }, 'fd00:77::100');
    assert.equal(at(), 'reachable');
    assert.equal(at(cut('fd00:77::/65')), 'unknown');
    assert.equal(at(cut('fd00:77::/65'), cut('fd00:77:0:0:8000::/65')), 'blocked');
    assert.equal(at(cut('fd00:77::7/128')), 'reachable');
  });

  test('count where only a container has them', () => {
    assert.notEqual(word({ change: cutInside }, host, 8000), 'reachable');
    assert.equal(word({ change: cutInside }, host, 5432), word({}, host, 5432));
  });
});
