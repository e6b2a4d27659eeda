/** What is said beside a verdict: where to look, and what to do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LinkReading, RouteReading } from '../../../source/host/readings.ts';
import { joinFacts } from '../../../source/facts/join.ts';
import { reachability } from '../../../source/facts/reachability.ts';
import { adviceFor } from '../../../source/facts/walk/advice.ts';
import { walk, type Vantage } from '../../../source/facts/walk/walk.ts';
import { judging } from '../judging.ts';
import { now, ok, proxy, socket } from '../build.ts';
import { ask, lan, walkReadings, walkWorld, type HostOptions } from './host.ts';

const host = '10.77.0.100';
const loopback: Vantage = { kind: 'loopback' };

function explained(options: HostOptions, from: Vantage, address: string, port: number) {
  const world = walkWorld(options);
  const question = { from, to: { address, port, proto: 'tcp' as const } };
  const verdict = walk(world, question);
  ask(world, from, address, port);
  return { verdict: verdict.verdict, detail: verdict.decidedBy?.detail ?? '', ...adviceFor(question, verdict) };
}

/** Changes the host's links and routes. */
const linked =
  (change: (links: LinkReading[], routes: RouteReading[]) => { links?: LinkReading[]; routes?: RouteReading[] }) =>
  (same: ReturnType<typeof walkReadings>): ReturnType<typeof walkReadings> => {
    const value = same.links.value!;
    return { ...same, links: { ...same.links, value: { ...value, ...change(value.links, value.routes) } } };
  };

/** `ip addr del 172.17.0.1/16 dev docker0`, which takes both of its routes along. */
const withoutGateway = linked((links, routes) => ({
  links: links.map(each => (each.name === 'docker0' ? { ...each, addresses: [] } : each)),
  routes: routes.filter(({ device }) => device !== 'docker0'),
}));

const blocked = (options: HostOptions) => judging(walkReadings(options)).filter(({ code }) => code === 'blocked');

describe('a bridge without its address', () => {
  const options: HostOptions = { change: withoutGateway };
  const cause =
    /^the host's route to 172\.17\.0\.3 leads out of eth0, not to docker0, the bridge that it is on: docker0 does not have 172\.17\.0\.1\/16$/;

  test('is the cause, whatever the rules say', () => {
    for (const policies of [{ FORWARD: 'DROP' }, { FORWARD: 'ACCEPT' }] as const) {
      for (const [from, address, port] of [
        [lan, host, 8000],
        [loopback, '127.0.0.1', 8000],
        [loopback, host, 8000],
        [loopback, '172.17.0.3', 80],
      ] as const) {
        const { verdict, detail, fix, confirm } = explained({ ...options, policies }, from, address, port);
        assert.equal(verdict, 'blocked', `${from.kind} ${address}`);
        assert.match(detail, cause);
        assert.equal(fix, 'Give docker0 its address again: ip addr add 172.17.0.1/16 dev docker0');
        assert.equal(confirm, 'ip route get 172.17.0.3');
      }
    }
  });

  test('is found, also once a rule accepts what is forwarded', () => {
    for (const rules of [[], [['filter', 'DOCKER-USER', '-j ACCEPT']]] as const) {
      const [finding, more] = blocked({ ...options, rules });
      assert.equal(more, undefined);
      assert.match(finding?.message ?? '', /leads out of eth0, not to docker0/);
      assert.equal(finding?.evidence[0]?.source, 'ip route');
    }
    assert.deepEqual(blocked({}), []);
  });

  test('is not known to be the cause where a port of the bridge is nobody\u2019s, or routes were not read', () => {
    const stranger = linked(links => ({
      links: [
        ...links,
        { ifindex: 90, name: 'eth1', mtu: 1500, up: true, operstate: 'UP', addresses: [], master: 'docker0' },
      ],
    }));
    const bridged: HostOptions = { change: same => stranger(withoutGateway(same)) };
    const partial: HostOptions = {
      change: same => {
        const without = withoutGateway(same);
        return { ...without, links: { ...without.links, state: 'partial', reason: 'routes: ip failed' } };
      },
    };
    for (const each of [bridged, partial]) {
      assert.equal(explained(each, lan, host, 8000).verdict, 'unknown');
      assert.deepEqual(blocked(each), []);
    }
  });

  test('a routing rule that may apply leaves it unknown, a more specific route elsewhere does not', () => {
    const steal = linked((_, routes) => ({
      routes: [
        ...routes,
        { ...routes.find(({ destination }) => destination === 'default')!, destination: '172.17.0.0/24' },
      ],
    }));
    const { verdict, detail } = explained({ change: steal }, lan, host, 8000);
    assert.equal(verdict, 'blocked');
    assert.match(detail, /leads out of eth0, not to docker0, the bridge that it is on$/);
    const ruled: HostOptions = {
      change: same => {
        const value = withoutGateway(same).links.value!;
        const base = { family: 4 as const, plain: true };
        const rules = [
          { ...base, priority: 0, table: 'local', text: 'local' },
          { ...base, priority: 10, table: 'docker', plain: false, text: 'from all uidrange 0-0 lookup docker' },
          { ...base, priority: 32766, table: 'main', text: 'main' },
        ];
        const odd = {
          ...value.routes[0]!,
          table: 'docker',
          destination: '172.17.0.0/16',
          device: 'docker0',
          type: 'unicast',
        };
        return { ...same, links: ok({ ...value, rules, routes: [...value.routes, odd] }) };
      },
    };
    assert.equal(explained(ruled, lan, host, 8000).verdict, 'unknown');
  });
});

/** `ip route del default` in the netns of the containers. */
const withoutDefault = (mayChangeRules: boolean): HostOptions['change'] => {
  return same => ({
    ...same,
    docker: ok({
      ...same.docker.value!,
      containers: same.docker.value!.containers.map(each => ({ ...each, ...(mayChangeRules && { mayChangeRules }) })),
    }),
    inside: Object.fromEntries(
      Object.entries(same.inside).map(([id, reading]) => {
        const routes = reading.value?.routes?.filter(({ destination }) => destination !== 'default') ?? [];
        return [id, { ...reading, value: { ...reading.value!, routes } }];
      }),
    ),
  });
};

test('a container without a default route is told where to look, and found', () => {
  const options: HostOptions = { change: withoutDefault(false) };
  const asker: Vantage = { kind: 'lan', interface: 'eth0', address: '10.77.0.1' };
  const { verdict, detail, confirm } = explained(options, asker, host, 8000);
  assert.deepEqual([verdict, detail], ['blocked', 'the answer is stopped: c0 has no route to 10.77.0.1']);
  assert.match(confirm ?? '', /^nsenter -t \d+ -n ip route get 10\.77\.0\.1$/);
  assert.match(blocked(options)[0]?.message ?? '', /c0 has no route to 10\.77\.0\./);
  // With NET_ADMIN it may have tables and rules of its own, which are not read.
  assert.equal(explained({ change: withoutDefault(true) }, asker, host, 8000).verdict, 'unknown');
  assert.deepEqual(blocked({ change: withoutDefault(true) }), []);
});

test('that the host lacks the way back to a network says nothing of a port', () => {
  const change = linked((_, routes) => ({
    routes: routes.filter(({ destination }) => destination !== '10.77.0.0/24' && destination !== 'default'),
  }));
  assert.deepEqual(blocked({ change }), []);
});

const listeningOnLoopback: HostOptions['change'] = same => ({
  ...same,
  inside: Object.fromEntries(
    Object.entries(same.inside).map(([id, reading]) => {
      const value = { ...reading.value!, listeners: [socket('127.0.0.1', 80)] };
      return [id, { ...reading, value }];
    }),
  ),
});

test('what is inside a container is looked at there', () => {
  const { verdict, fix, confirm } = explained({ change: listeningOnLoopback }, lan, host, 8000);
  assert.equal(verdict, 'nothing-listening');
  assert.match(confirm ?? '', /^nsenter -t \d+ -n ss -Hlntp$/);
  assert.match(fix ?? '', /^Let the program listen on 0\.0\.0\.0/);
});

const publishedOnLoopback: HostOptions['change'] = same => ({
  ...same,
  docker: ok({
    ...same.docker.value!,
    containers: same.docker.value!.containers.map(each => ({
      ...each,
      publishedPorts: each.publishedPorts.map(port => ({ ...port, hostIp: '127.0.0.1' })),
    })),
  }),
  sockets: ok({
    ...same.sockets.value!,
    listeners: same.sockets.value!.listeners.map(each =>
      each.port === 8000 ? { ...each, address: '127.0.0.1' } : each,
    ),
  }),
  // Docker's DNAT is for 127.0.0.1 then.
  netfilter: ok({
    ...same.netfilter.value!,
    chains: same.netfilter.value!.chains.filter(({ table }) => table !== 'nat'),
  }),
  processes: ok({ ...same.processes.value!, proxies: [proxy(5000, '127.0.0.1', 8000, '172.17.0.3', 80)] }),
});

test('a port that Docker publishes on loopback is Docker\u2019s to publish otherwise, a program\u2019s the program\u2019s', () => {
  const published = explained({ change: publishedOnLoopback }, lan, host, 8000);
  assert.equal(published.verdict, 'local-only');
  assert.equal(
    published.fix,
    'Docker publishes it on loopback, for this host alone: if others are to reach c0, publish it with -p 8000:80.',
  );
  const own = explained({}, lan, host, 5432);
  assert.deepEqual([own.verdict, own.confirm], ['local-only', 'ss -Hlntp']);
  assert.match(own.fix ?? '', /^Let the program listen/);
});

const wordOf = (change: HostOptions['change'], port: number) => {
  const readings = walkReadings({ ...(change && { change }) });
  const about = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  const { exposures } = reachability(readings, joinFacts(readings, { now, host: about }));
  const { word, deciding } = exposures.of({ address: '127.0.0.1', port, proto: 'tcp' });
  return [word, deciding?.verdict.decidedBy?.detail];
};

test('what not even this host reaches on its loopback is blocked, not for this host only', () => {
  const down = linked(links => ({ links: links.map(each => (each.name === 'lo' ? { ...each, up: false } : each)) }));
  assert.equal(wordOf(undefined, 5432)[0], 'local-only');
  assert.deepEqual(wordOf(down, 5432), ['blocked', 'lo is down']);
});

test('nothing goes over lo while that is down, but for what is translated and leaves otherwise', () => {
  const options: HostOptions = {
    change: linked(links => ({ links: links.map(each => (each.name === 'lo' ? { ...each, up: false } : each)) })),
  };
  const { verdict, detail, fix } = explained(options, loopback, '127.0.0.1', 8000);
  assert.deepEqual([verdict, detail, fix], ['blocked', 'lo is down', 'ip link set lo up']);
  assert.equal(explained(options, loopback, host, 22).verdict, 'blocked');
  assert.equal(explained(options, loopback, host, 8000).verdict, 'reachable');
  assert.equal(explained(options, lan, host, 8000).verdict, 'reachable');
  assert.equal(explained(options, loopback, '::1', 8000).detail, 'lo is down');
});
