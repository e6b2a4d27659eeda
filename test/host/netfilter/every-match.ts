/** Rules as iptables-save prints them, with what each means (iptables-extensions(8)). */
import type { RuleMatch, RuleTarget } from '../../../source/host/readings.ts';

/** A rule and its meaning. */
export interface Meaning {
  table: 'raw' | 'mangle' | 'nat' | 'filter';
  text: string;
  matches: RuleMatch[];
  target: RuleTarget;
  comment?: string;
}

const is = (kind: RuleMatch['kind'], rest: object): RuleMatch => ({ kind, negate: false, ...rest }) as RuleMatch;
const not = (kind: RuleMatch['kind'], rest: object): RuleMatch => ({ kind, negate: true, ...rest }) as RuleMatch;
const unknown = (text: string): RuleMatch => ({ kind: 'unknown', text });
const proto = (name: string): RuleMatch => is('proto', { protos: [name] });
const dport = (...ports: [number, number][]): RuleMatch => is('dport', { ports });
const accept: RuleTarget = { kind: 'accept' };
const drop: RuleTarget = { kind: 'drop' };
const all = 0xffffffff;

const filter = (text: string, matches: RuleMatch[], target: RuleTarget, comment?: string): Meaning => ({
  table: 'filter',
  text: `-A INPUT ${text}`,
  matches,
  target,
  ...(comment !== undefined && { comment }),
});
const nat = (text: string, matches: RuleMatch[], target: RuleTarget): Meaning => ({
  table: 'nat',
  text: `-A ${text}`,
  matches,
  target,
});
const mangle = (text: string, matches: RuleMatch[], target: RuleTarget): Meaning => ({
  table: 'mangle',
  text: `-A ${text}`,
  matches,
  target,
});

const tcp = proto('tcp');
const udp = proto('udp');

/** IPv4 rules: every match and target that netdash evaluates, and some that it does not. */
export const meanings: Meaning[] = [
  filter('-s 10.0.0.0/255.0.255.0 -j ACCEPT', [unknown('-s 10.0.0.0/255.0.255.0')], accept),
  filter(
    '! -s 10.1.2.0/24 -d 224.0.0.0/4 -j RETURN',
    [not('saddr', { addresses: ['10.1.2.0/24'] }), is('daddr', { addresses: ['224.0.0.0/4'] })],
    { kind: 'return' },
  ),
  filter(
    '-i eth+ -p tcp -m tcp ! --sport 1000:2000 --dport 22 -j ACCEPT',
    [is('iif', { names: ['eth+'] }), tcp, not('sport', { ports: [[1000, 2000]] }), dport([22, 22])],
    accept,
  ),
  filter('! -i lo -j DROP', [not('iif', { names: ['lo'] })], drop),
  filter(
    '-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT',
    [tcp, is('tcpflags', { mask: ['fin', 'syn', 'rst', 'ack'], set: ['syn'] })],
    accept,
  ),
  filter(
    '-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP',
    [tcp, not('tcpflags', { mask: ['fin', 'syn', 'rst', 'ack'], set: ['syn'] })],
    drop,
  ),
  filter(
    '-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP',
    [tcp, is('tcpflags', { mask: ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'], set: [] })],
    drop,
  ),
  filter(
    '-p udp -m multiport --dports 53,67:68,5353 -j ACCEPT',
    [udp, dport([53, 53], [67, 68], [5353, 5353])],
    accept,
  ),
  filter('-p tcp -m multiport ! --sports 1:1024 -j DROP', [tcp, not('sport', { ports: [[1, 1024]] })], drop),
  filter(
    '-p tcp -m multiport --ports 5060,5061 -j ACCEPT',
    [
      tcp,
      is('anyport', {
        ports: [
          [5060, 5060],
          [5061, 5061],
        ],
      }),
    ],
    accept,
  ),
  filter(
    '-m iprange --src-range 10.0.0.5-10.0.0.9 ! --dst-range 10.1.0.5-10.1.0.9 -j ACCEPT',
    [is('saddr', { addresses: ['10.0.0.5-10.0.0.9'] }), not('daddr', { addresses: ['10.1.0.5-10.1.0.9'] })],
    accept,
  ),
  filter(
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    [is('ctstate', { states: ['related', 'established'] })],
    accept,
  ),
  filter(
    '-m conntrack ! --ctstate NEW,DNAT --ctproto 6 --ctorigsrc 10.0.0.0/8 ! --ctorigdst 10.2.0.1 --ctorigdstport 80:90 --ctdir REPLY -j ACCEPT',
    [
      not('ctstate', { states: ['new', 'dnat'] }),
      unknown('-m conntrack --ctproto 6'),
      is('ctorigsrc', { addresses: ['10.0.0.0/8'] }),
      not('ctorigdst', { addresses: ['10.2.0.1/32'] }),
      is('ctorigdport', { ports: [[80, 90]] }),
      is('ctdir', { direction: 'reply' }),
    ],
    accept,
  ),
  filter('-m state --state INVALID -j DROP', [is('ctstate', { states: ['invalid'] })], drop),
  filter(
    '-m addrtype ! --src-type MULTICAST --dst-type LOCAL,BROADCAST -j ACCEPT',
    [not('srctype', { types: ['multicast'] }), is('dsttype', { types: ['local', 'broadcast'] })],
    accept,
  ),
  filter(
    '-m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT',
    [is('dsttype', { types: ['local'], on: 'iif' })],
    accept,
  ),
  filter('-m pkttype --pkt-type multicast -j ACCEPT', [is('pkttype', { types: ['multicast'] })], accept),
  filter('-m mark ! --mark 0x5 -j DROP', [not('mark', { value: 5, mask: all })], drop),
  filter(
    `-m limit --limit 3/min --limit-burst 10 -m comment --comment "say \\"hi\\" to \\'a\\\\b\\'" -j LOG --log-prefix "[UFW BLOCK] " --log-level 7`,
    [unknown('-m limit --limit 3/min'), unknown('-m limit --limit-burst 10')],
    { kind: 'log' },
    `say "hi" to 'a\\b'`,
  ),
  filter('-p gre -m comment --comment -j -j ACCEPT', [proto('gre')], accept, '-j'),
  filter('-m comment --comment "! -s" -j ACCEPT', [], accept, '! -s'),
  filter('! -p icmp -j chain-of-mine', [not('proto', { protos: ['icmp'] })], { kind: 'jump', chain: 'chain-of-mine' }),
  filter(
    '-p icmp -m icmp --icmp-type 8 -j ACCEPT',
    [proto('icmp'), is('icmptype', { family: 4, types: [[8, 8]] })],
    accept,
  ),
  filter(
    '-m ttl --ttl-lt 5 -m connmark ! --mark 0x1/0xff -j DROP',
    [is('hoplimit', { values: [[0, 4]] }), not('connmark', { value: 1, mask: 0xff })],
    drop,
  ),
  filter('-p vrrp -j ACCEPT', [proto('vrrp')], accept),
  filter('-f -j DROP', [unknown('-f')], drop),
  // None of a plain TCP or UDP exchange has such a header.
  filter(
    '-p esp -m esp --espspi 5 -j DROP',
    [proto('esp'), { kind: 'never', negate: false, text: '-m esp --espspi 5' }],
    drop,
  ),
  filter(
    '-m string --string "-j DROP" --algo bm -j DROP',
    [unknown('-m string --string "-j DROP"'), unknown('-m string --algo bm')],
    drop,
  ),
  filter('-m physdev ! --physdev-is-bridged -j ACCEPT', [unknown('-m physdev ! --physdev-is-bridged')], accept),
  filter('-p tcp -j REJECT --reject-with tcp-reset', [tcp], { kind: 'reject', with: 'tcp-reset' }),
  filter('-j NFLOG --nflog-group 3', [], { kind: 'continue', text: 'NFLOG' }),
  filter('-s 192.0.2.1/32', [is('saddr', { addresses: ['192.0.2.1/32'] })], { kind: 'none' }),
  nat('PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1', [tcp, dport([80, 80])], {
    kind: 'dnat',
    address: '10.0.0.1',
  }),
  nat('PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination 10.0.0.1:8080', [tcp, dport([81, 81])], {
    kind: 'dnat',
    address: '10.0.0.1',
    port: [8080, 8080],
  }),
  nat('PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90', [tcp], {
    kind: 'dnat',
    address: '10.0.0.1-10.0.0.9',
    port: [80, 90],
  }),
  nat('PREROUTING -p tcp -j DNAT --to-destination :8080 --random', [tcp], { kind: 'dnat', port: [8080, 8080] }),
  nat('PREROUTING -p tcp -m tcp --dport 84:90 -j DNAT --to-destination 10.0.0.1:80-90/100', [tcp, dport([84, 90])], {
    kind: 'unknown',
    text: '-j DNAT --to-destination 10.0.0.1:80-90/100',
  }),
  nat('PREROUTING -p tcp -j REDIRECT --to-ports 3128', [tcp], { kind: 'redirect', port: [3128, 3128] }),
  nat('PREROUTING ! -i lo -g goal', [not('iif', { names: ['lo'] })], { kind: 'goto', chain: 'goal' }),
  nat(
    'POSTROUTING -s 10.0.0.0/8 ! -o docker+ -j MASQUERADE',
    [is('saddr', { addresses: ['10.0.0.0/8'] }), not('oif', { names: ['docker+'] })],
    { kind: 'masquerade' },
  ),
  nat('POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random', [tcp], {
    kind: 'masquerade',
    port: [1024, 2048],
  }),
  nat('POSTROUTING -o eth0 -j SNAT --to-source 192.0.2.1-192.0.2.3', [is('oif', { names: ['eth0'] })], {
    kind: 'snat',
    address: '192.0.2.1-192.0.2.3',
  }),
  nat('POSTROUTING -d 192.0.2.0/24 -j NETMAP --to 10.9.9.0/24', [is('daddr', { addresses: ['192.0.2.0/24'] })], {
    kind: 'netmap',
    prefix: '10.9.9.0/24',
  }),
  mangle('PREROUTING -i eth0 -j MARK --set-xmark 0x1/0xff', [is('iif', { names: ['eth0'] })], {
    kind: 'mark',
    value: 1,
    mask: 0xff,
  }),
  mangle(
    'PREROUTING -m mark --mark 0x1/0xff -j MARK --set-xmark 0x0/0xffffff00',
    [is('mark', { value: 1, mask: 0xff })],
    {
      kind: 'mark',
      value: 0,
      mask: 0xffffff00,
    },
  ),
  mangle(
    'FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
    [tcp, is('tcpflags', { mask: ['syn', 'rst'], set: ['syn'] })],
    { kind: 'continue', text: 'TCPMSS' },
  ),
  mangle('POSTROUTING -j TTL --ttl-set 65', [], { kind: 'continue', text: 'TTL' }),
  mangle('POSTROUTING -j TTL --ttl-inc 1', [], { kind: 'continue', text: 'TTL' }),
  ...['--ttl-set 1', '--ttl-set 63', '--ttl-dec 1'].map(option =>
    mangle(`PREROUTING -j TTL ${option}`, [], { kind: 'unknown', text: `-j TTL ${option}` }),
  ),
  mangle('POSTROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff', [], {
    kind: 'savemark',
    packetMask: 0xffffffff,
    connMask: 0xffffffff,
  }),
  mangle('POSTROUTING -j CONNMARK --set-xmark 0x1/0xff', [], { kind: 'setconnmark', value: 1, mask: 0xff }),
  mangle('POSTROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff00', [], {
    kind: 'restoremark',
    packetMask: 0xff,
    connMask: 0xff00,
  }),
  {
    table: 'raw',
    text: '-A PREROUTING -p udp -m udp --dport 53 -j CT --notrack',
    matches: [udp, dport([53, 53])],
    target: { kind: 'unknown', text: '-j CT --notrack' },
  },
];

const declared: Record<Meaning['table'], string[]> = {
  raw: [':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]'],
  mangle: [':PREROUTING ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':POSTROUTING ACCEPT [0:0]'],
  nat: [':PREROUTING ACCEPT [0:0]', ':POSTROUTING ACCEPT [0:0]', ':goal - [0:0]'],
  filter: [':INPUT DROP [3:180]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ':chain-of-mine - [0:0]'],
};

/** The rules as input for iptables-restore, in the form in which iptables-save prints them. */
export function asSave(list: readonly Meaning[]): string {
  const tables = (Object.keys(declared) as Meaning['table'][]).map(table => {
    const rules = list.filter(meaning => meaning.table === table).map(({ text }) => text);
    return [`*${table}`, ...declared[table], ...rules, 'COMMIT'].join('\n');
  });
  return `${tables.join('\n')}\n`;
}
