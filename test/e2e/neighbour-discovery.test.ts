/**
 * IPv6 neighbour discovery passes the firewall: with cold neighbour caches a rule that drops it cuts everybody off, with warm
 * ones it does not, so that netdash may call such a place neither reachable nor blocked.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as v from 'valibot';
import { ExplainSchema } from '../../source/commands/explain-json.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash } from './netdash.ts';

const gateway = 'fd00:30:2::1';

type From = 'lan' | 'host' | 'nd-two';

/** A rule, and an exchange: whether it is answered when nobody knows anybody. */
const cases: readonly [rule: string, from: From, to: 'host' | 'nd-one' | 'gateway', answered: boolean][] = [
  ['INPUT -p icmpv6 --icmpv6-type 135 -j DROP', 'lan', 'host', false],
  ['INPUT -p icmpv6 --icmpv6-type 135 -j DROP', 'host', 'nd-one', true],
  ['INPUT -p icmpv6 --icmpv6-type 136 -j DROP', 'host', 'nd-one', false],
  ['OUTPUT -o br-nd -p icmpv6 --icmpv6-type 136 -j DROP', 'nd-two', 'gateway', false],
  ['INPUT -m conntrack --ctstate UNTRACKED -j DROP', 'host', 'nd-one', false],
  ['INPUT -m conntrack --ctstate INVALID -j DROP', 'host', 'nd-one', true],
  ['DOCKER-USER -i br-nd -o br-nd -p icmpv6 -j DROP', 'nd-two', 'nd-one', false],
];

const familyOf = async (lab: Lab, name: string): Promise<string> =>
  (await lab.inspect(name)).NetworkSettings.Networks['nd']?.GlobalIPv6Address ?? '';

async function forgetNeighbours(lab: Lab): Promise<void> {
  const command = ['ip', '-6', 'neigh', 'flush', 'all'];
  await Promise.all([
    lab.inHost(command),
    lab.inLan(command),
    ...['nd-one', 'nd-two'].map(name => lab.inContainer(name, command)),
  ]);
}

async function isAnswered(lab: Lab, from: From, address: string, port: number): Promise<boolean> {
  if (from !== 'nd-two') return (await lab.fetchFrom(from, address, port)) !== undefined;
  const script = 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | "$0" nc -w 2 "$1" "$2"';
  const { stdout } = await lab.inContainer(from, ['sh', '-c', script, lab.busybox, address, String(port)]);
  return stdout !== '';
}

async function verdictOf(lab: Lab, from: From, address: string, port: number) {
  const vantage = { lan: `lan:eth0`, host: 'loopback', 'nd-two': 'container:nd-two' }[from];
  const { stdout, stderr } = await lab.inHost(netdash('explain', '--json', `[${address}]:${port}`, '--from', vantage));
  const [verdict, more] = v.parse(ExplainSchema, JSON.parse(stdout || stderr)).verdicts;
  assert.ok(verdict && !more, stdout);
  return verdict;
}

describeLab('neighbour discovery', {}, lab => {
  before(async () => {
    const options = { 'com.docker.network.bridge.name': 'br-nd' };
    await lab().networkCreate('nd', { ipv6: true, ipam: [{ subnet: 'fd00:30:2::/64' }], options });
    await lab().run('nd-one', { network: 'nd' });
    await lab().run('nd-two', { network: 'nd' });
    await lab().listen({ address: '::', port: 19001 });
  });

  test('a rule that drops it makes a verdict unknown exactly where it is needed', async () => {
    const host = lab();
    const one = await familyOf(host, 'nd-one');
    const places = {
      host: [host.addresses.host6, 19001],
      'nd-one': [one, 80],
      gateway: [gateway, 19001],
    } as const;
    // Docker 20 and 26 have no IPv6 chain for the administrator.
    const chained = (rule: string) => (host.dockerMajor < 27 ? rule.replace('DOCKER-USER', 'FORWARD') : rule);
    for (const [rule, from, to, answered] of cases) {
      const words = chained(rule).split(' ');
      const added = await host.inHost(['ip6tables', '-I', ...words]);
      assert.equal(added.code, 0, added.stderr);
      const [address, port] = places[to];
      const what = `${rule}: ${from} to ${to}`;
      try {
        await forgetNeighbours(host);
        assert.equal(await isAnswered(host, from, address, port), answered, what);
        const { verdict, decidedBy } = await verdictOf(host, from, address, port);
        assert.equal(verdict, answered ? 'reachable' : 'unknown', what);
        if (!answered) assert.match(decidedBy?.detail ?? '', /^neighbour discovery on \S+ is stopped, /, what);
      } finally {
        await host.inHost(['ip6tables', '-D', ...words]);
      }
    }
  });

  test('a policy of drop without room for ICMPv6 cuts off who is cold and not who is warm', async () => {
    const host = lab();
    const { host6 } = host.addresses;
    const set = async (policy: string) => {
      await host.inHost(['ip6tables', '-P', 'INPUT', policy]);
      await host.inHost(['ip6tables', policy === 'DROP' ? '-A' : '-D', 'INPUT', '-p', 'tcp', '-j', 'ACCEPT']);
    };
    assert.equal(await isAnswered(host, 'lan', host6, 19001), true);
    await set('DROP');
    assert.equal(await isAnswered(host, 'lan', host6, 19001), true, 'warm');
    assert.equal((await verdictOf(host, 'lan', host6, 19001)).verdict, 'unknown');
    await forgetNeighbours(host);
    assert.equal(await isAnswered(host, 'lan', host6, 19001), false, 'cold');
    await set('ACCEPT');
    assert.equal((await verdictOf(host, 'lan', host6, 19001)).verdict, 'reachable');
  });
});
