import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { RuleMatch, RuleTarget } from '../../../source/host/readings.ts';
import { parseRuleset } from '../../../source/host/netfilter/nft.ts';
import { needsNetns, readIn } from './netns.ts';

const is = (kind: RuleMatch['kind'], rest: object): RuleMatch => ({ kind, negate: false, ...rest }) as RuleMatch;
const not = (kind: RuleMatch['kind'], rest: object): RuleMatch => ({ kind, negate: true, ...rest }) as RuleMatch;
const proto = (...protos: string[]): RuleMatch => is('proto', { protos });
const family = (version: 4 | 6): RuleMatch => is('nfproto', { family: version });
const dport = (...ports: [number, number][]): RuleMatch => is('dport', { ports });
const tcp = proto('tcp');
const v4 = family(4);
const accept: RuleTarget = { kind: 'accept' };
const none: RuleTarget = { kind: 'none' };
const all = 0xffffffff;
const unknown = Symbol('a match that netdash does not evaluate');

type Expected = [rule: string, matches: (RuleMatch | typeof unknown)[], target: RuleTarget, effects?: RuleTarget[]];

/** Rules of a table of both families, with what they mean (nft(8)). */
const rules: Expected[] = [
  ['iifname "lo" accept', [is('iif', { names: ['lo'] })], accept],
  ['iif "lo" oifname != "docker*" accept', [is('iif', { names: ['lo'] }), not('oif', { names: ['docker*'] })], accept],
  ['iifname { "eth0", "br-*" } drop', [is('iif', { names: ['br-*', 'eth0'] })], { kind: 'drop' }],
  ['ip saddr 10.0.0.0/8 accept', [v4, is('saddr', { addresses: ['10.0.0.0/8'] })], accept],
  ['ip daddr != 10.0.0.1 accept', [v4, not('daddr', { addresses: ['10.0.0.1/32'] })], accept],
  [
    'ip saddr { 10.0.0.0/8, 192.168.0.1-192.168.0.9 } accept',
    [v4, is('saddr', { addresses: ['10.0.0.0/8', '192.168.0.1-192.168.0.9'] })],
    accept,
  ],
  ['ip6 saddr fe80::/10 accept', [family(6), is('saddr', { addresses: ['fe80::/10'] })], accept],
  ['ip saddr @friends accept', [v4, is('saddr', { addresses: ['192.0.2.1/32', '192.0.2.7/32'] })], accept],
  [
    'ip saddr . tcp dport @pairs accept',
    [
      v4,
      tcp,
      {
        kind: 'oneof',
        negate: false,
        alternatives: [
          [is('saddr', { addresses: ['192.0.2.1/32'] }), dport([80, 80])],
          [is('saddr', { addresses: ['192.0.2.2/32'] }), dport([81, 81])],
        ],
      },
    ],
    accept,
  ],
  [
    'ip saddr . tcp dport { 192.0.2.5 . 80 } accept',
    [v4, tcp, is('saddr', { addresses: ['192.0.2.5/32'] }), dport([80, 80])],
    accept,
  ],
  ['tcp dport 80 accept', [tcp, dport([80, 80])], accept],
  ['tcp dport != 80 accept', [tcp, not('dport', { ports: [[80, 80]] })], accept],
  ['tcp dport { 80, 8000-8010 } accept', [tcp, dport([80, 80], [8000, 8010])], accept],
  ['tcp dport < 1024 accept', [tcp, dport([0, 1023])], accept],
  ['udp sport >= 1024 accept', [proto('udp'), is('sport', { ports: [[1024, 65535]] })], accept],
  ['meta l4proto { tcp, udp } th dport 53 accept', [proto('tcp', 'udp'), dport([53, 53])], accept],
  ['meta l4proto icmp accept', [proto('icmp')], accept],
  ['meta l4proto ipv6-icmp accept', [proto('ipv6-icmp')], accept],
  ['meta nfproto ipv4 accept', [v4], accept],
  ['meta protocol ip6 accept', [family(6)], accept],
  ['meta mark 0x5 accept', [is('mark', { value: 5, mask: all })], accept],
  ['meta mark and 0xff != 0x1 accept', [not('mark', { value: 1, mask: 0xff })], accept],
  ['meta pkttype multicast accept', [is('pkttype', { types: ['multicast'] })], accept],
  ['ct state established,related accept', [is('ctstate', { states: ['established', 'related'] })], accept],
  ['ct state { established, related } accept', [is('ctstate', { states: ['established', 'related'] })], accept],
  ['ct state invalid drop', [is('ctstate', { states: ['invalid'] })], { kind: 'drop' }],
  ['ct status dnat accept', [is('ctstate', { states: ['dnat'] })], accept],
  ['ct status assured accept', [unknown], accept],
  ['ct direction original accept', [is('ctdir', { direction: 'original' })], accept],
  [
    'meta l4proto tcp ct original proto-dst 8080 drop',
    [tcp, is('ctorigdport', { ports: [[8080, 8080]] })],
    { kind: 'drop' },
  ],
  ['ct original ip daddr 192.0.2.1 accept', [v4, is('ctorigdst', { addresses: ['192.0.2.1/32'] })], accept],
  ['fib daddr type local accept', [is('dsttype', { types: ['local'] })], accept],
  ['fib daddr type { local, broadcast } accept', [is('dsttype', { types: ['local', 'broadcast'] })], accept],
  ['fib saddr type != local accept', [not('srctype', { types: ['local'] })], accept],
  ['fib daddr . iif type local accept', [is('dsttype', { types: ['local'], on: 'iif' })], accept],
  ['fib saddr . iif oif missing drop', [not('rpath', { withMark: false })], { kind: 'drop' }],
  ['fib saddr . mark . iif oif exists accept', [is('rpath', { withMark: true })], accept],
  ['rt type 0 drop', [{ kind: 'never', negate: false, text: 'rt type 0' }], { kind: 'drop' }],
  ['exthdr frag missing accept', [], accept],
  ['ip6 daddr ::ffff:0.0.0.0/96 drop', [family(6), is('daddr', { addresses: ['::ffff:0:0/96'] })], { kind: 'drop' }],
  ['fib daddr oif missing drop', [unknown], { kind: 'drop' }],
  [
    'meta l4proto tcp ct original proto-dst { 8080, 8443 } accept',
    [
      tcp,
      is('ctorigdport', {
        ports: [
          [8080, 8080],
          [8443, 8443],
        ],
      }),
    ],
    accept,
  ],
  // A rule of this table fills it.
  [
    'ip saddr @seen drop',
    [
      {
        kind: 'oneof',
        negate: false,
        alternatives: [[v4, tcp, dport([22, 22]), { kind: 'unknown', text: 'ip saddr @seen' }]],
      },
    ],
    { kind: 'drop' },
  ],
  ['tcp flags syn accept', [tcp, not('tcpflags', { mask: ['syn'], set: [] })], accept],
  [
    'tcp flags & (fin | syn | rst | ack) == syn accept',
    [tcp, is('tcpflags', { mask: ['fin', 'syn', 'rst', 'ack'], set: ['syn'] })],
    accept,
  ],
  ['limit rate 5/second accept', [unknown], accept],
  ['meta skuid 0 accept', [unknown], accept],
  ['tcp dport 22 add @seen { ip saddr } accept', [tcp, dport([22, 22]), unknown], accept],
  ['icmp type echo-request accept', [proto('icmp'), is('icmptype', { family: 4, types: [[8, 8]] })], accept],
  [
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept',
    [
      proto('ipv6-icmp'),
      is('icmptype', {
        family: 6,
        types: [
          [135, 135],
          [136, 136],
        ],
      }),
      family(6),
      is('hoplimit', { values: [[255, 255]] }),
    ],
    accept,
  ],
  ['ct mark 0x5 accept', [is('connmark', { value: 5, mask: all })], accept],
  ['ct mark and 0xf0 == 0x10 accept', [is('connmark', { value: 0x10, mask: 0xf0 })], accept],
  ['ct mark set 0x5', [], { kind: 'setconnmark', value: 5, mask: all }],
  ['ct mark set mark', [], { kind: 'savemark', packetMask: all, connMask: all }],
  ['meta mark set ct mark', [], { kind: 'restoremark', packetMask: all, connMask: all }],
  ['counter', [], none],
  ['tcp dport 1 counter drop', [tcp, dport([1, 1])], { kind: 'drop' }],
  ['log prefix "x: " drop', [], { kind: 'drop' }, [{ kind: 'log' }]],
  ['log prefix "x: "', [], { kind: 'log' }],
  ['meta mark set 0x7', [], { kind: 'mark', value: 7, mask: all }],
  ['meta mark set mark or 0x4 accept', [], accept, [{ kind: 'mark', value: 4, mask: 4 }]],
  ['meta mark set mark and 0xff', [], { kind: 'mark', value: 0, mask: 0xffffff00 }],
  ['meta mark set 0x7 tcp dport 5 accept', [unknown], accept, [{ kind: 'mark', value: 7, mask: all }]],
  ['jump other', [], { kind: 'jump', chain: 'other' }],
  ['goto other', [], { kind: 'goto', chain: 'other' }],
  ['return', [], { kind: 'return' }],
  ['reject', [], { kind: 'reject', with: 'icmpx port-unreachable' }],
  ['reject with tcp reset', [tcp], { kind: 'reject', with: 'tcp reset' }],
  // nft prints neither of these with the match that the kernel has.
  ['meta nfproto ipv6 reject', [family(6)], { kind: 'reject', with: 'icmpv6 port-unreachable' }],
  ['meta nfproto ipv4 reject', [v4], { kind: 'reject', with: 'icmp port-unreachable' }],
  [
    'tcp dport vmap { 22 : accept, 80-90 : jump other }',
    [],
    {
      kind: 'vmap',
      key: 'tcp dport',
      entries: [
        { key: '22', verdict: 'accept' },
        { key: '80-90', verdict: 'jump', chain: 'other' },
      ],
    },
  ],
  [
    'iifname vmap @jumps',
    [],
    { kind: 'vmap', key: 'iifname', entries: [{ key: 'docker0', verdict: 'jump', chain: 'other' }] },
  ],
];

const natRules: Expected[] = [
  [
    'tcp dport 8080 dnat ip to 172.17.0.2:80',
    [tcp, dport([8080, 8080]), v4],
    { kind: 'dnat', address: '172.17.0.2', port: [80, 80] },
  ],
  [
    'tcp dport 81 dnat ip6 to [fd00::2]:80',
    [tcp, dport([81, 81]), family(6)],
    { kind: 'dnat', address: 'fd00::2', port: [80, 80] },
  ],
  [
    'ip daddr 192.0.2.1 dnat ip to 10.0.0.1-10.0.0.9',
    [v4, is('daddr', { addresses: ['192.0.2.1/32'] })],
    { kind: 'dnat', address: '10.0.0.1-10.0.0.9' },
  ],
  ['tcp dport 82 redirect to :8080', [tcp, dport([82, 82])], { kind: 'redirect', port: [8080, 8080] }],
  [
    'dnat ip to tcp dport map { 1 : 10.0.0.1 }',
    [v4],
    { kind: 'natmap', key: 'tcp dport', entries: [{ key: '1', target: { kind: 'dnat', address: '10.0.0.1' } }] },
  ],
  [
    'iifname "eth0" dnat ip to tcp dport map { 2 : 10.0.0.2 . 80 }',
    [is('iif', { names: ['eth0'] }), v4],
    {
      kind: 'natmap',
      key: 'tcp dport',
      entries: [{ key: '2', target: { kind: 'dnat', address: '10.0.0.2', port: [80, 80] } }],
    },
  ],
];

const ruleset = `
table inet t {
  set friends { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.7 } }
  set seen { type ipv4_addr; flags dynamic; }
  set pairs { type ipv4_addr . inet_service; elements = { 192.0.2.1 . 80, 192.0.2.2 . 81 } }
  map jumps { type ifname : verdict; elements = { "docker0" : jump other } }
  chain other { }
  chain c {
    type filter hook forward priority 7; policy drop;
    ${rules.map(([rule]) => rule).join('\n    ')}
  }
  chain n {
    type nat hook prerouting priority dstnat;
    ${natRules.map(([rule]) => rule).join('\n    ')}
  }
}
`;

const ruleOf = (...expr: unknown[]) =>
  parseRuleset(
    JSON.stringify({
      nftables: [
        { chain: { family: 'ip', table: 't', name: 'c' } },
        { rule: { family: 'ip', table: 't', chain: 'c', expr } },
      ],
    }),
  ).chains[0]?.rules[0];

const hookWith = (flags: unknown) =>
  parseRuleset(
    JSON.stringify({
      nftables: [
        { table: { family: 'ip', name: 't', handle: 1, ...(flags !== undefined && { flags }) } },
        { chain: { family: 'ip', table: 't', name: 'c', type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
      ],
    }),
  ).chains[0]?.hook;

suite('nft', () => {
  test('says what each expression and statement means', needsNetns(), () => {
    const { value, missing } = readIn(`nft -f - <<'RULES'\n${ruleset}\nRULES`);
    assert.equal(missing, undefined);
    const chain = (name: string) => value?.chains.find(candidate => candidate.table === 't' && candidate.name === name);
    for (const [name, expected] of [
      ['c', rules],
      ['n', natRules],
    ] as const) {
      const found = chain(name)?.rules ?? [];
      assert.equal(found.length, expected.length);
      for (const [index, [text, matches, target, effects]] of expected.entries()) {
        const rule = found[index];
        const seen = rule?.matches.map(match => (match.kind === 'unknown' ? unknown : match));
        assert.deepEqual(sorted(seen ?? []), sorted(matches), text);
        assert.deepEqual({ target: rule?.target, effects: rule?.effects }, { target, effects }, text);
      }
    }
    const base = chain('c');
    assert.deepEqual(
      [base?.hook, base?.priority, base?.type, base?.policy, base?.backend],
      ['forward', 7, 'filter', 'drop', 'nft'],
    );
    assert.deepEqual(value?.sets['inet t friends'], ['192.0.2.1', '192.0.2.7']);
    assert.deepEqual(value?.sets['inet t jumps'], ['docker0 : jump other']);
    assert.deepEqual(value?.sets['inet t pairs'], ['192.0.2.1 . 80', '192.0.2.2 . 81']);
  });

  test('writes rules as nft itself lists them', () => {
    const folder = new URL('../../fixtures/netfilter/29-nftables/', import.meta.url);
    const listed = readFileSync(new URL('nft.txt', folder), 'utf8');
    const expected = [...listed.matchAll(/^\t\t(.*) # handle (\d+)$/gm)].map(([, text, handle]) => `${handle} ${text}`);
    const { chains } = parseRuleset(readFileSync(new URL('nft.json', folder), 'utf8'));
    const texts = chains.flatMap(({ rules: list }) => list.map(({ text, handle }) => `${handle} ${text}`));
    assert.equal(texts.length, 150);
    assert.deepEqual(texts.sort(), expected.sort());
  });

  test('takes JSON that ends early for a failure, and metainfo alone for no rules', () => {
    const empty = '{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}]}';
    assert.deepEqual(parseRuleset(empty).chains, []);
    assert.throws(() => parseRuleset(empty.slice(0, -3)), { name: 'HostError', code: 'failed' });
    assert.throws(() => parseRuleset(''), { name: 'HostError', code: 'failed' });
    assert.throws(() => parseRuleset('{}'), { name: 'HostError', code: 'failed' });
  });

  test('takes the chains of a dormant table off their hooks', () => {
    assert.equal(hookWith('dormant'), undefined);
    assert.equal(hookWith(['dormant']), undefined);
    assert.equal(hookWith(['owner', 'persist']), 'input');
    assert.equal(hookWith(undefined), 'input');
  });

  test('keeps what it does not know', () => {
    const future = ruleOf({ 'future thing': { a: 1 } }, { accept: null });
    assert.deepEqual(future?.target, { kind: 'accept' });
    assert.deepEqual(future?.matches, [{ kind: 'unknown', text: '{"future thing":{"a":1}}' }]);
    assert.equal(ruleOf({ 'future thing': null })?.target.kind, 'unknown');
    const xt = ruleOf({ xt: { type: 'match', name: 'conntrack' } }, { xt: { type: 'target', name: 'DNAT' } });
    assert.deepEqual(xt?.matches, [{ kind: 'unknown', text: 'xt match conntrack' }]);
    assert.deepEqual(xt?.target, { kind: 'unknown', text: 'xt target DNAT' });
  });
});

const sorted = (list: readonly (RuleMatch | typeof unknown)[]): string[] =>
  list.map(match => (match === unknown ? 'unknown' : JSON.stringify(canonical(match)))).sort();

/** Sets come back in nft's own order. */
const canonical = (match: RuleMatch): unknown =>
  Object.fromEntries(
    Object.entries(match).map(([key, value]): [string, unknown] => [
      key,
      Array.isArray(value) ? value.map(item => JSON.stringify(item)).sort() : value,
    ]),
  );
