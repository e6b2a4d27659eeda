/** What administrators do to the tables of iptables, by chance. */
import type { Random } from './random.ts';
import type { SaveText } from './save-text.ts';
import type { Stage } from './stage.ts';

/** Ports of the host that someone on the stage serves. */
export const hostPorts = [8080, 8081, 8082, 8083, 8086, 8087, 8070, 9001, 5300];
/** Ports inside containers, served or not. */
export const containerPorts = [80, 81, 53, 88, 89];

/** The tables of both families. */
export type Save = { 4: SaveText; 6: SaveText };
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

/** Does something to the tables of a family, and says what. */
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

/** Neighbour discovery cut short, in one of its four packets or all of them. */
const discovery: Change = (random, save, family) => {
  if (family === 4) return 'nothing';
  const chain = random.pick(['INPUT', 'OUTPUT']);
  const device = random.pick(['', '', `${chain === 'INPUT' ? '-i' : '-o'} ${random.pick(['eth0', 'br-six'])} `]);
  const type = random.pick(['', '-m icmp6 --icmpv6-type 135 ', '-m icmp6 --icmpv6-type 136 ']);
  const rule = `${device}-p ipv6-icmp ${type}-j DROP`;
  save.insert('filter', chain, rule);
  return `${chain}: ${rule}`;
};

/** What may have been done to a host; those that are listed more than once are done more often. */
export const changes: readonly Change[] = [
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
  discovery,
];
