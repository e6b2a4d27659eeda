/** Rules in a container's own netns: read, not read, and of whom they may be. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSave } from '../../../source/host/netfilter/xtables.ts';
import type { Readings } from '../../../source/host/readings.ts';
import { ruleWriters } from '../../../source/facts/netns.ts';
import { adviceFor } from '../../../source/facts/walk/advice.ts';
import type { Vantage, Verdict } from '../../../source/facts/walk/walk.ts';
import { container, hexId } from '../build.ts';
import { ask, lan, walkWorld } from './host.ts';

const host = '10.77.0.100';
const c0 = hexId('c0');

/** A host on which c0 may change its rules, with these (`filter INPUT` unless said otherwise), or none read. */
function change(inside: { lines?: readonly string[]; reason?: string }, mayChange = true) {
  return (same: Readings): Readings => {
    const docker = same.docker.value!;
    const containers = docker.containers.map(each =>
      each.id === c0 && mayChange ? { ...each, mayChangeRules: true as const } : each,
    );
    const before = same.inside[c0]!;
    const { chains } = parseSave(['# v1 (nf_tables)', ...(inside.lines ?? []), 'COMMIT', ''].join('\n'), 'ip');
    const value = {
      ...before.value!,
      ...(inside.lines && { rules: { chains, tools: [], sets: {} } }),
      ...(inside.reason !== undefined && { rulesReason: inside.reason }),
    };
    return {
      ...same,
      docker: { ...same.docker, value: { ...docker, containers } },
      inside: { ...same.inside, [c0]: { ...before, value } },
    };
  };
}

const filter = (input: 'ACCEPT' | 'DROP', output: 'ACCEPT' | 'DROP', ...rules: string[]) => [
  '*filter',
  `:INPUT ${input} [0:0]`,
  ':FORWARD ACCEPT [0:0]',
  `:OUTPUT ${output} [0:0]`,
  ...rules,
];

const fromLan = (lines: readonly string[], mayChange = true): Verdict =>
  ask(walkWorld({ change: change({ lines }, mayChange) }), lan, host, 8000);

const nat = (port: number) => [
  '*nat',
  ':PREROUTING ACCEPT [0:0]',
  `-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports ${port}`,
];

const established = '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';

describe('rules inside a container', () => {
  test('cut off what they do not accept, on the way in and back', () => {
    const verdict = fromLan(filter('DROP', 'ACCEPT'));
    assert.equal(verdict.verdict, 'blocked');
    assert.equal(verdict.decidedBy?.inside, 'c0');
    assert.equal(verdict.decidedBy.detail, 'inside c0, policy drop of ip filter INPUT');
    assert.equal(verdict.path.at(-1)?.hop, 'c0 INPUT');
    const { confirm, fix } = adviceFor({ from: lan, to: { address: host, port: 8000, proto: 'tcp' } }, verdict);
    assert.match(confirm ?? '', /^nsenter -t \d+ -n iptables -t filter -nvL INPUT/);
    assert.match(fix ?? '', /c0/);
    for (const [lines, expected] of [
      [filter('ACCEPT', 'ACCEPT', '-A INPUT -p tcp -m tcp --dport 80 -j DROP'), 'blocked'],
      [filter('ACCEPT', 'ACCEPT', '-A INPUT -p tcp -m tcp --dport 81 -j DROP'), 'reachable'],
      [filter('ACCEPT', 'ACCEPT', '-A INPUT -i tun0 -j ACCEPT'), 'reachable'],
      [filter('DROP', 'ACCEPT', '-A INPUT -i eth0 -p tcp -m tcp --dport 80 -j ACCEPT'), 'reachable'],
      [filter('DROP', 'ACCEPT', `-A INPUT ${established}`), 'blocked'],
      [filter('ACCEPT', 'DROP'), 'blocked'],
      [filter('ACCEPT', 'DROP', `-A OUTPUT ${established}`), 'reachable'],
      // It has a conntrack of its own: to it the connection is to its own port, and nothing is translated.
      [filter('ACCEPT', 'ACCEPT', '-A INPUT -m conntrack --ctstate DNAT -j DROP'), 'reachable'],
    ] as const) {
      assert.equal(fromLan(lines).verdict, expected, lines.at(-1));
    }
  });

  test('translate to another port of its own, and back', () => {
    assert.equal(fromLan(nat(81)).verdict, 'nothing-listening');
    assert.equal(fromLan(nat(80)).verdict, 'reachable');
  });

  test('are asked of what the container sends itself', () => {
    const sender: Vantage = { kind: 'container', containerId: c0 };
    const from = (lines: readonly string[], to = '172.17.0.4') =>
      ask(walkWorld({ containers: 2, change: change({ lines }) }), sender, to, 80).verdict;
    assert.equal(from(filter('ACCEPT', 'ACCEPT')), 'reachable');
    assert.equal(from(filter('ACCEPT', 'DROP')), 'blocked');
    assert.equal(from(filter('ACCEPT', 'DROP', '-A OUTPUT -o tun0 -j ACCEPT')), 'blocked');
    assert.equal(from(filter('DROP', 'ACCEPT', `-A INPUT ${established}`)), 'reachable');
    assert.equal(from(filter('DROP', 'ACCEPT'), '127.0.0.1'), 'blocked');
    assert.equal(
      from(filter('DROP', 'DROP', '-A INPUT -i lo -j ACCEPT', '-A OUTPUT -o lo -j ACCEPT'), '127.0.0.1'),
      'reachable',
    );
    assert.equal(from(filter('ACCEPT', 'ACCEPT', '-A OUTPUT -j MARK --set-xmark 0x1/0xffffffff')), 'unknown');
  });

  test('make it unknown where they were not read, and are no matter where nobody may write any', () => {
    const unread = ask(walkWorld({ change: change({ reason: 'needs root to read them' }) }), lan, host, 8000);
    assert.equal(unread.verdict, 'unknown');
    assert.equal(unread.decidedBy?.detail, 'c0 may have rules of its own (NET_ADMIN): needs root to read them');
    const early = ask(walkWorld({ change: change({}) }), lan, host, 8000);
    assert.match(early.decidedBy?.detail ?? '', /not read yet/);
    const part = ask(
      walkWorld({ change: change({ lines: filter('ACCEPT', 'ACCEPT'), reason: 'nft crashed' }) }),
      lan,
      host,
      8000,
    );
    assert.equal(part.verdict, 'unknown');
    assert.equal(ask(walkWorld({ change: change({}, false) }), lan, host, 8000).verdict, 'reachable');
  });
});

test('rules are read once for each netns of which a container may change them, and never for the host', () => {
  const plain = container('plain');
  const web = container('web');
  const vpn = container('vpn', { networkMode: 'container:web', mayChangeRules: true });
  const own = container('own', { mayChangeRules: true });
  const onHost = container('host', { networkMode: 'host', mayChangeRules: true });
  const still = container('still', { state: 'exited', mayChangeRules: true });
  assert.deepEqual([...ruleWriters([plain, web, vpn, own, onHost, still], [])].sort(), [own.id, web.id].sort());
  assert.deepEqual([...ruleWriters([plain, web], [])], []);
});
