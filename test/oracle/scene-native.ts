/** Tables that administrators write for nft, by chance. */
import type { Random } from './random.ts';
import { containerPorts, hostPorts } from './scene-changes.ts';

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
export function nativeTable(random: Random, story: string[]): string {
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
