/** A host configuration made from a seed: rules of the administrator, policies, settings, listeners. */
import { Random } from './random.ts';
import { SaveText } from './save-text.ts';
import type { Socket, Stage } from './stage.ts';

export interface Scene {
  seed: number;
  /** What was done, a line each. */
  story: string[];
  rules: { 4: string; 6: string };
  /** Body of the native table; '' for none. */
  native: string;
  sysctls: Record<string, string>;
  listeners: Record<string, Socket[]>;
  /** `ip` commands, undone by those of `undo`. */
  routing: { make: string[]; undo: string[] };
}

const hostPorts = [8080, 8081, 8082, 8083, 8086, 8087, 8070, 9001, 5300];
const containerPorts = [80, 81, 53, 88, 89];

type Save = { 4: SaveText; 6: SaveText };
type Family = 4 | 6;

/** Matches as an administrator writes them, for either family. */
function someMatch(random: Random, family: Family): string {
  const port = random.pick(random.chance(0.5) ? hostPorts : containerPorts);
  const proto = random.chance(0.8) ? 'tcp' : 'udp';
  const lan = family === 4 ? '10.77.0.1' : 'fd00:77::1';
  const lanNet = family === 4 ? '10.77.0.0/24' : 'fd00:77::/64';
  const other = family === 4 ? '10.77.0.7' : 'fd00:77::7';
  const ranges =
    family === 4
      ? ['172.17.0.2-172.17.0.3', '172.30.1.0-172.30.1.9', '10.77.0.90-10.77.0.110']
      : ['fd00:30:2::1-fd00:30:2::9', 'fd00:77::50-fd00:77::150'];
  return random.pick([
    `-p ${proto} -m ${proto} --dport ${port}`,
    `-p ${proto} -m ${proto} --dport ${port}`,
    `-p ${proto} -m conntrack --ctorigdstport ${port} --ctdir ORIGINAL`,
    `-p tcp -m conntrack --ctorigdstport ${port}`,
    `-i eth0`,
    `-s ${lan}/${family === 4 ? 32 : 128}`,
    `-s ${lanNet} -p ${proto} -m ${proto} --dport ${port}`,
    `! -s ${lan}/${family === 4 ? 32 : 128} -i eth0`,
    `! -s ${other}/${family === 4 ? 32 : 128} -i eth0 -p tcp -m tcp --dport ${port}`,
    `-p tcp -m multiport --dports ${port},${random.pick(hostPorts)},7000:7010`,
    `-p tcp -m multiport ! --dports 80,443`,
    `-m iprange --dst-range ${random.pick(ranges)}`,
    `-i eth0 -m conntrack --ctstate NEW`,
    `-m conntrack --ctstate INVALID`,
    `-m conntrack --ctstate DNAT`,
    `-m addrtype --dst-type LOCAL -p tcp -m tcp --dport ${port}`,
    `-m addrtype ! --dst-type LOCAL`,
    `-i br-+ -p tcp`,
    `! -i docker0 -p ${proto}`,
    `-m mark --mark 0x10/0xf0`,
    `-m mark ! --mark 0x0`,
    `-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m tcp --dport ${port}`,
    `-p tcp -m tcp --sport 80`,
    `-p tcp -m comment --comment "quoted \\"words\\" here" -m tcp --dport ${port}`,
    `-m pkttype --pkt-type unicast -p tcp -m tcp --dport ${port}`,
    `-p tcp -m tcp --dport ${port}:${port + 10}`,
    `-m conntrack --ctorigdst ${family === 4 ? '10.77.0.100' : 'fd00:77::100'} -p tcp`,
  ]);
}

const out = (match: string, chain: string): boolean =>
  !((chain === 'OUTPUT' || chain === 'POSTROUTING') && match.includes('-i '));

function someTarget(random: Random): string {
  return random.pick(['-j DROP', '-j DROP', '-j DROP', '-j REJECT', '-j ACCEPT', '-j ACCEPT', '-j RETURN']);
}

type Change = (random: Random, save: SaveText, family: Family, stage: Stage) => string;

/** What keeps a host alive whatever its policy, as every administrator writes it. */
function keepAlive(save: SaveText, chain: string, family: Family): void {
  if (family === 6) save.append('filter', chain, '-p ipv6-icmp -j ACCEPT');
}

const userChain: Change = (random, save, family) => {
  const chain = save.has('filter', 'DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
  const rule = `${someMatch(random, family)} ${someTarget(random)}`;
  save.insert('filter', chain, rule);
  return `${chain}: ${rule}`;
};

const inputRule: Change = (random, save, family) => {
  const rule = `${someMatch(random, family)} ${random.pick(['-j DROP', '-j REJECT', '-j ACCEPT'])}`;
  save.insert('filter', 'INPUT', rule);
  return `INPUT: ${rule}`;
};

const inputPolicy: Change = (random, save, family) => {
  const parts = ['INPUT policy DROP'];
  save.policy('filter', 'INPUT', 'DROP');
  keepAlive(save, 'INPUT', family);
  if (random.chance(0.8)) save.append('filter', 'INPUT', '-i lo -j ACCEPT');
  else parts.push('without lo');
  if (random.chance(0.7)) save.append('filter', 'INPUT', '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
  else parts.push('stateless');
  const port = random.pick(hostPorts);
  save.append('filter', 'INPUT', `-p tcp -m tcp --dport ${port} -j ACCEPT`, '-p tcp -m tcp --dport 22 -j ACCEPT');
  parts.push(`open ${port}`);
  return parts.join(', ');
};

const forwardPolicy: Change = (random, save) => {
  const policy = random.pick(['DROP', 'ACCEPT'] as const);
  save.policy('filter', 'FORWARD', policy);
  return `FORWARD policy ${policy}`;
};

const outputRule: Change = (random, save, family) => {
  const match = someMatch(random, family);
  const rule = `${out(match, 'OUTPUT') ? match : '-o docker0'} ${random.pick(['-j DROP', '-j REJECT', '-j ACCEPT'])}`;
  save.insert('filter', 'OUTPUT', rule);
  return `OUTPUT: ${rule}`;
};

const outputPolicy: Change = (random, save, family) => {
  save.policy('filter', 'OUTPUT', 'DROP');
  keepAlive(save, 'OUTPUT', family);
  save.append('filter', 'OUTPUT', '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
  const rule = random.pick(['-o lo -j ACCEPT', '-o docker0 -j ACCEPT', '-p tcp -m tcp --dport 80 -j ACCEPT']);
  save.append('filter', 'OUTPUT', rule);
  return `OUTPUT policy DROP but ${rule}`;
};

const rawRule: Change = (random, save, family) => {
  const match = random.pick([
    `-i eth0 -p tcp -m tcp --dport ${random.pick(hostPorts)}`,
    family === 4 ? '! -i docker0 -d 172.17.0.2/32' : '! -i br-six -d fd00:30:2::2/128',
    family === 4 ? '! -i lo -d 127.0.0.1/32' : '! -i lo -d ::1/128',
    '-i eth0 -m addrtype --dst-type LOCAL -p udp',
    '-m conntrack --ctstate INVALID',
  ]);
  save.insert('raw', 'PREROUTING', `${match} -j DROP`);
  return `raw PREROUTING: ${match} -j DROP`;
};

const notrack: Change = (random, save) => {
  const port = random.pick(hostPorts);
  save.insert('raw', 'PREROUTING', `-i eth0 -p tcp -m tcp --dport ${port} -j CT --notrack`);
  return `raw PREROUTING: notrack ${port}`;
};

const markRule: Change = (random, save, family) => {
  const match = someMatch(random, family);
  const value = random.pick(['--set-xmark 0x10/0xffffffff', '--set-xmark 0x10/0xf0', '--set-xmark 0x20/0x20']);
  save.insert('mangle', 'PREROUTING', `${match} -j MARK ${value}`);
  const chain = random.pick(['FORWARD', 'INPUT']);
  save.insert('filter', chain, `-m mark --mark ${random.pick(['0x10/0x10', '0x10', '0x20/0x20'])} -j DROP`);
  return `mangle PREROUTING: ${match} marks ${value}; ${chain} drops marked`;
};

const mangleRule: Change = (random, save, family) => {
  const chain = random.pick(['PREROUTING', 'FORWARD', 'INPUT', 'OUTPUT', 'POSTROUTING']);
  const match = someMatch(random, family);
  const rule = `${out(match, chain) ? match : `-p tcp -m tcp --dport ${random.pick(containerPorts)}`} -j DROP`;
  save.insert('mangle', chain, rule);
  return `mangle ${chain}: ${rule}`;
};

const redirect: Change = (random, save) => {
  const [from, to] = [random.pick([9100, 9101, 8080]), random.pick([9001, 8070, 8081])];
  const chain = random.pick(['PREROUTING', 'OUTPUT']);
  save.insert(
    'nat',
    chain,
    `${chain === 'PREROUTING' ? '-i eth0 ' : ''}-p tcp -m tcp --dport ${from} -j REDIRECT --to-ports ${to}`,
  );
  return `nat ${chain}: redirect ${from} to ${to}`;
};

const ownDnat: Change = (random, save, family, stage) => {
  const actor = random.pick(['web', 'app1', 'six1', 'app2']);
  const to = stage.actors.get(actor)?.addresses.find(address => address.includes(':') === (family === 6));
  if (to === undefined) return 'nothing';
  const target = family === 6 ? `[${to}]:80` : `${to}:80`;
  save.insert('nat', 'PREROUTING', `-i eth0 -p tcp -m tcp --dport 9200 -j DNAT --to-destination ${target}`);
  if (random.chance(0.5)) save.insert('filter', 'FORWARD', `-d ${to} -p tcp -m tcp --dport 80 -j ACCEPT`);
  return `nat PREROUTING: 9200 to ${target}`;
};

const ownChain: Change = (random, save, family) => {
  const chain = random.pick(['FORWARD', 'INPUT', 'DOCKER-USER'].filter(name => save.has('filter', name)));
  const name = `ORACLE${random.below(3)}`;
  save.chain('filter', name);
  const verb = random.pick(['-j', '-g']);
  save.append(
    'filter',
    name,
    `${someMatch(random, family)} -j RETURN`,
    `${someMatch(random, family)} ${someTarget(random)}`,
  );
  if (random.chance(0.5)) save.append('filter', name, random.pick(['-j DROP', '-j ACCEPT', '-j RETURN']));
  save.insert('filter', chain, `${random.chance(0.5) ? `${someMatch(random, family)} ` : ''}${verb} ${name}`);
  return `${chain} ${verb} ${name}`;
};

const lostRules: Change = (random, save) => {
  const [table, text] = random.pick([
    ['nat', '-j DNAT'],
    ['nat', '--dst-type LOCAL -j DOCKER'],
    ['filter', '-A FORWARD'],
    ['filter', '--dport 80 -j ACCEPT'],
    ['filter', 'RELATED,ESTABLISHED'],
    ['filter', 'DOCKER-ISOLATION'],
    ['nat', 'MASQUERADE'],
    ['filter', '-A DOCKER '],
  ] as const);
  save.drop(table, text);
  return `without the rules of ${table} with "${text}"`;
};

/** nf_conntrack's mark kept for the connection. */
const connmark: Change = (random, save, family) => {
  save.append(
    'mangle',
    'PREROUTING',
    '-j CONNMARK --restore-mark',
    `${someMatch(random, family)} -j MARK --set-mark 0x30`,
    '-j CONNMARK --save-mark',
  );
  return 'mangle PREROUTING: restores, sets and saves marks';
};

const serverChain: Change = (random, save, family) => {
  // The order of a hardening guide: invalid out, known in, a few services, and a drop at the end instead of a policy.
  const rules = [
    '-i lo -j ACCEPT',
    '-m conntrack --ctstate INVALID -j DROP',
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ...(family === 6 ? ['-p ipv6-icmp -j ACCEPT'] : ['-p icmp -m icmp --icmp-type 8 -m limit --limit 1/sec -j ACCEPT']),
    `-p tcp -m conntrack --ctstate NEW -m multiport --dports 22,${random.pick(hostPorts)},${random.pick(hostPorts)} -j ACCEPT`,
    `-p udp -m udp --dport ${random.pick([53, 9004, 5300])} -j ACCEPT`,
    random.pick(['-j REJECT', '-j DROP', '-p tcp -j REJECT --reject-with tcp-reset']),
  ];
  save.append('filter', 'INPUT', ...rules);
  return `INPUT: ${rules.slice(-3).join('; ')}`;
};

const dockerUserGuide: Change = (random, save, family) => {
  const chain = save.has('filter', 'DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
  const lan = family === 4 ? '10.77.0.0/24' : 'fd00:77::/64';
  save.flush('filter', chain === 'DOCKER-USER' ? chain : 'NONE');
  const rules = [
    '-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN',
    random.chance(0.5) ? '-i br-+ -j RETURN' : '-i docker0 -j RETURN',
    `-i eth0 -p tcp -m conntrack --ctorigdstport ${random.pick(hostPorts)} --ctdir ORIGINAL -j RETURN`,
    random.chance(0.5) ? `-s ${lan} -p tcp -m tcp --dport 80 -j RETURN` : '-i eth0 -p udp -m udp --dport 53 -j RETURN',
    '-i eth0 -j DROP',
  ];
  save.insert('filter', chain, ...rules);
  return `${chain}: ${rules.join('; ')}`;
};

const snat: Change = (random, save, family) => {
  const source = family === 4 ? random.pick(['10.77.0.200', '172.17.0.1']) : 'fd00:77::100';
  const match = random.pick([
    `-o ${random.pick(['docker0', 'br-app', 'br-six'])}`,
    '-p tcp -m tcp --dport 80',
    '-o br-+ -p udp',
  ]);
  const rule = random.chance(0.5)
    ? `${match} -j MASQUERADE`
    : `${match} -p tcp -j SNAT --to-source ${source}`.replace(/-p (tcp|udp)(.*) -p tcp/, '-p $1$2');
  save.insert('nat', 'POSTROUTING', rule);
  return `nat POSTROUTING: ${rule}`;
};

const statelessForward: Change = (random, save, family) => {
  // Both ways by hand, without conntrack.
  const lan = family === 4 ? '10.77.0.0/24' : 'fd00:77::/64';
  save.flush('filter', 'FORWARD');
  save.policy('filter', 'FORWARD', 'DROP');
  const rules = [
    `-s ${lan} -p tcp -m tcp --dport 80 -j ACCEPT`,
    random.chance(0.6) ? `-d ${lan} -p tcp -m tcp --sport 80 -j ACCEPT` : `-d ${lan} -p udp -j ACCEPT`,
  ];
  save.append('filter', 'FORWARD', ...rules);
  return `FORWARD only ${rules.join('; ')}`;
};

const limited: Change = (random, save, family) => {
  const mask = family === 4 ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
  const chain = random.pick(['INPUT', 'FORWARD']);
  const rule = random.pick([
    '-m limit --limit 5/min -j LOG --log-prefix "dropped: "',
    `-p tcp -m tcp --dport 22 -m recent --set --name ssh --mask ${mask} --rsource`,
    '-p tcp -m tcp --dport 22 -m limit --limit 3/min -j ACCEPT',
  ]);
  save.insert('filter', chain, rule);
  return `${chain}: ${rule}`;
};

const changes: readonly Change[] = [
  userChain,
  userChain,
  userChain,
  userChain,
  inputRule,
  inputRule,
  inputPolicy,
  inputPolicy,
  forwardPolicy,
  forwardPolicy,
  outputRule,
  outputPolicy,
  rawRule,
  rawRule,
  notrack,
  markRule,
  mangleRule,
  redirect,
  ownDnat,
  ownChain,
  ownChain,
  lostRules,
  lostRules,
  limited,
  connmark,
  serverChain,
  serverChain,
  serverChain,
  dockerUserGuide,
  dockerUserGuide,
  snat,
  snat,
  statelessForward,
];

function nativeMatch(random: Random): string {
  const port = random.pick(random.chance(0.5) ? hostPorts : containerPorts);
  return random.pick([
    `tcp dport ${port}`,
    `tcp dport { ${port}, ${random.pick(hostPorts)}, 7000-7010 }`,
    `tcp dport != { 80, 443 }`,
    `iifname "eth0"`,
    `iifname { "docker0", "br-app" }`,
    `oifname "br-*"`,
    `ip saddr 10.77.0.0/24`,
    `ip saddr @bad`,
    `ip daddr { 172.17.0.2, 172.30.1.0/24 } tcp dport ${port}`,
    `ip6 daddr fd00:30:2::/64`,
    `ct state new tcp dport ${port}`,
    `ct state invalid`,
    `ct status dnat`,
    `meta l4proto tcp ct original proto-dst ${port}`,
    `ct direction original ip daddr 172.17.0.0/16`,
    `fib daddr type local tcp dport ${port}`,
    `meta l4proto udp`,
    `meta l4proto { tcp, udp } th dport ${port}`,
    `meta nfproto ipv6`,
    `meta mark 0x10`,
    `tcp flags syn tcp dport ${port}`,
    `tcp flags & (fin | syn | rst | ack) == syn iifname "eth0"`,
    `ip saddr . tcp dport { 10.77.0.1 . ${port}, 10.77.0.9 . 80 }`,
  ]);
}

/** A table beside those of iptables, as people write it for nft. */
function nativeTable(random: Random, story: string[]): string {
  const chains: string[] = [];
  const hooks = random.sample(['input', 'forward', 'output', 'prerouting'], 1 + random.below(2));
  for (const hook of hooks) {
    const priority = random.pick(['-10', '0', '10', '-150', '-250', '50']);
    const isClosed = random.chance(0.3) && hook !== 'prerouting';
    const rules = ['meta l4proto ipv6-icmp accept'];
    if (isClosed && random.chance(0.8))
      rules.push('ct state vmap { established : accept, related : accept, invalid : drop }');
    if (isClosed) rules.push(hook === 'output' ? 'oifname "lo" accept' : 'iifname "lo" accept');
    for (let count = 1 + random.below(3); count > 0; count -= 1) {
      const verdict = random.pick(['drop', 'drop', 'accept', 'counter drop', 'reject', 'jump aside', 'return']);
      // Interfaces that a hook does not have match nothing, and reject is not allowed everywhere.
      rules.push(`${nativeMatch(random)} ${hook === 'prerouting' && verdict === 'reject' ? 'drop' : verdict}`);
    }
    if (random.chance(0.2))
      rules.push(`tcp dport vmap { ${random.pick(hostPorts)} : drop, 80 : accept, 9999 : jump aside }`);
    const body = rules.join('\n    ');
    story.push(`nft ${hook} ${priority}${isClosed ? ' policy drop' : ''}: ${rules.slice(1).join('; ')}`);
    chains.push(`chain ${hook} {
    type filter hook ${hook} priority ${priority}; policy ${isClosed ? 'drop' : 'accept'};
    ${body}
  }`);
  }
  const aside = `${nativeMatch(random)} ${random.pick(['drop', 'accept', 'return'])}`;
  story.push(`nft aside: ${aside}`);
  if (random.chance(0.3)) {
    const target = random.pick(['redirect to :9001', 'dnat ip to 172.17.0.2:80', 'dnat ip to 172.30.1.2:80']);
    const priority = random.pick(['-110', '-100', '-90']);
    const rule = `iifname "eth0" tcp dport ${random.pick([9100, 9200, 8081, 8080])} ${target}`;
    story.push(`nft nat prerouting ${priority}: ${rule}`);
    chains.push(`chain dstnat {
    type nat hook prerouting priority ${priority};
    ${rule}
  }`);
  }
  if (random.chance(0.2)) {
    story.push('nft: iifname . tcp dport vmap');
    chains.push(`chain lookups {
    type filter hook forward priority 5;
    iifname . tcp dport vmap { "eth0" . 80 : ${random.pick(['drop', 'accept', 'jump aside'])}, "br-app" . 80 : drop }
    meta mark set 0x10 ${random.pick(['', 'ct state established accept', 'counter'])}
  }`);
  }
  return `table inet oracle {
  set bad { type ipv4_addr; flags interval; elements = { 10.77.0.1, 192.168.0.0/16 }; }
  chain aside {
    ${aside}
  }
  ${chains.join('\n  ')}
}
`;
}

/** Settings and what they are put back to. */
function someSysctls(random: Random, stage: Stage, story: string[]): Record<string, string> {
  const sysctls: Record<string, string> = {
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.forwarding': '1',
    'net.bridge.bridge-nf-call-iptables': '1',
    'net.bridge.bridge-nf-call-ip6tables': '1',
    'net.ipv4.conf.all.rp_filter': '0',
    'net.ipv4.conf.eth0.forwarding': '1',
    'net.ipv4.conf.eth0.route_localnet': '0',
  };
  for (const { name } of stage.bridges) {
    sysctls[`net.ipv4.conf.${name}.forwarding`] = '1';
    sysctls[`net.ipv4.conf.${name}.rp_filter`] = '0';
  }
  const change = (key: string, value: string) => {
    sysctls[key] = value;
    story.push(`${key}=${value}`);
  };
  if (random.chance(0.06)) {
    change('net.ipv4.ip_forward', '0');
    for (const key of Object.keys(sysctls)) if (/ipv4.*\.forwarding$/.test(key)) sysctls[key] = '0';
  }
  if (random.chance(0.06)) change('net.ipv6.conf.all.forwarding', '0');
  if (random.chance(0.08)) change(`net.ipv4.conf.${random.pick(['eth0', 'docker0', 'br-app'])}.forwarding`, '0');
  if (random.chance(0.2)) change('net.bridge.bridge-nf-call-iptables', '0');
  if (random.chance(0.2)) change('net.bridge.bridge-nf-call-ip6tables', '0');
  if (random.chance(0.1)) change('net.ipv4.conf.all.rp_filter', random.pick(['1', '2']));
  if (random.chance(0.05)) change('net.ipv4.conf.eth0.route_localnet', '1');
  return sysctls;
}

/** Sockets that are open in this scene. */
function someListeners(random: Random): Record<string, Socket[]> {
  const listeners: Record<string, Socket[]> = {
    host: [
      { proto: 'tcp', address: '0.0.0.0', port: 9001 },
      { proto: 'tcp', address: '127.0.0.1', port: 9002 },
      { proto: 'tcp', address: '::', port: 9003, v6only: random.chance(0.5) },
      { proto: 'udp', address: '0.0.0.0', port: 9004 },
      { proto: 'tcp', address: '10.77.0.100', port: 9005 },
      { proto: 'udp', address: '::', port: 9006 },
    ],
  };
  for (const name of [
    'web',
    'app1',
    'six1',
    'app2',
    'six2',
    'closed1',
    'closed2',
    'inner1',
    'both',
    'mac1',
    'plain1',
  ]) {
    listeners[name] = [{ proto: 'udp', address: random.pick(['0.0.0.0', '::']), port: 53 }];
    if (random.chance(0.5))
      listeners[name].push({ proto: 'tcp', address: random.pick(['127.0.0.1', '0.0.0.0', '::']), port: 88 });
  }
  return listeners;
}

/** Makes the scene of a seed. */
export function makeScene(seed: number, stage: Stage): Scene {
  const random = new Random(seed);
  const story: string[] = [];
  const save: Save = { 4: new SaveText(stage.baseline[4]), 6: new SaveText(stage.baseline[6]) };
  for (const family of [4, 6] as const) {
    for (let count = random.below(family === 4 ? 5 : 3); count > 0; count -= 1) {
      story.push(`v${family} ${random.pick(changes)(random, save[family], family, stage)}`);
    }
  }
  const native = random.chance(0.4) ? nativeTable(random, story) : '';
  const sysctls = someSysctls(random, stage, story);
  const routing = { make: [] as string[], undo: [] as string[] };
  if (random.chance(0.02)) {
    const rule = 'rule add from 10.77.0.1 lookup 100';
    routing.make.push('route add blackhole default table 100', rule);
    routing.undo.push('rule del from 10.77.0.1 lookup 100', 'route flush table 100');
    story.push(`ip ${rule}`);
  }
  return {
    seed,
    story,
    rules: { 4: save[4].toString(), 6: save[6].toString() },
    native,
    sysctls,
    listeners: someListeners(random),
    routing,
  };
}
