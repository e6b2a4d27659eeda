/** Who wrote a rule, judged by its table, its chain, where it leads and its shape. */
import type { ChainReading, NetfilterReading, RuleMatch, RuleReading } from '../host/readings.ts';
import type { Rule } from './schema.ts';

type Author = Rule['author'];

/** What of Docker a rule's shape is compared with. */
export interface DockerNames {
  /** Whether an interface is a Docker bridge. */
  isBridge(name: string): boolean;
  /** Whether containers on that bridge may not talk to each other, so that Docker drops it; undefined when unknown. */
  dropsWithin(bridge: string): boolean | undefined;
  /** Whether a CIDR is the subnet of a Docker network, or a container's address. */
  isOwnAddress(cidr: string): boolean;
}

/** Names that Docker gives to bridges by itself. */
const bridgeName = /^(docker0|docker_gwbridge|br-[0-9a-f]{12})$/;

/** Whether a name is one that Docker gives to a bridge by itself: all that can be told without Docker. */
export const looksLikeBridge = (name: string): boolean => bridgeName.test(name);

/** Who writes native nftables tables of that name. */
function authorOfTable(table: string): Author | undefined {
  if (table.startsWith('docker-')) return 'docker';
  if (table === 'netavark') return 'podman';
  if (table.startsWith('firewalld')) return 'firewalld';
  if (table.startsWith('kube-proxy')) return 'kubernetes';
  if (table.startsWith('libvirt_network')) return 'libvirt';
  return /^(f2b-table|fail2ban)/.test(table) ? 'fail2ban' : undefined;
}

/** Who makes user chains of that name; DOCKER-USER is made by Docker and filled by the operator. */
function authorOfChain(chain: string, firewalld: boolean): Author | undefined {
  if (/^DOCKER(-|$)/.test(chain)) return 'docker';
  if (/^NETAVARK[-_]/.test(chain)) return 'podman';
  if (/^ufw6?-/.test(chain)) return 'ufw';
  if (/^(KUBE-|cali-|FLANNEL|CILIUM_|WEAVE)/.test(chain)) return 'kubernetes';
  if (chain.startsWith('LIBVIRT_')) return 'libvirt';
  if (/^(f2b|fail2ban)-/.test(chain)) return 'fail2ban';
  return firewalld && firewalldChain.test(chain) ? 'firewalld' : undefined;
}

/** Chains of firewalld's iptables backend; too common as names to be judged alone. */
const firewalldChain =
  /^((INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING)_|(IN|OUT|FWD|FWDI|FWDO|PRE|POST)_).+|^(INPUT|FORWARD)_ZONES$/;

/** Whether firewalld keeps its rules in xtables here: it always makes these chains. */
export function hasFirewalldChains(netfilter: NetfilterReading): boolean {
  return netfilter.chains.some(
    ({ backend, name }) => backend !== 'nft' && /^(INPUT_ZONES|FORWARD_IN_ZONES|FORWARD_POLICIES_pre)$/.test(name),
  );
}

/** Whether it says something of the author of a rule of this chain that the rule is the last one. */
export const hasTellingPlaces = ({ name }: ChainReading): boolean => name === 'DOCKER-USER';

const signOf = (match: RuleMatch): string => `${match.kind}${match.kind !== 'unknown' && match.negate ? '!' : ''}`;

/** The first name or address that a rule's match of that kind has. */
function firstOf(rule: RuleReading, kind: 'iif' | 'oif' | 'saddr' | 'daddr'): string | undefined {
  const match = rule.matches.find(candidate => candidate.kind === kind);
  if (match && 'names' in match) return match.names[0];
  return match && 'addresses' in match ? match.addresses[0] : undefined;
}

/**
 * Whether a rule in a built-in chain has the shape in which Docker writes such rules (FORWARD until 27, nat POSTROUTING,
 * raw PREROUTING from 28), on a Docker bridge or for a Docker address.
 */
function isDockerShaped(chain: ChainReading, rule: RuleReading, docker: DockerNames): boolean {
  // The mark of encrypted overlay networks, "docker" in hex as far as it goes (libnetwork, overlay driver).
  if (chain.table === 'mangle') return rule.text.includes('0xd0c4e3');
  if (chain.name !== 'FORWARD' && chain.name !== 'POSTROUTING' && chain.name !== 'PREROUTING') return false;
  const shape = `${chain.table} ${chain.name} ${rule.matches.map(signOf).sort().join(' ')} ${rule.target.kind}`;
  const input = firstOf(rule, 'iif');
  const output = firstOf(rule, 'oif');
  const source = firstOf(rule, 'saddr');
  const destination = firstOf(rule, 'daddr');
  const onBridge = (name: string | undefined) => name !== undefined && docker.isBridge(name);
  const own = (cidr: string | undefined) => cidr !== undefined && docker.isOwnAddress(cidr);
  switch (shape) {
    case 'filter FORWARD ctstate oif accept':
      return (
        onBridge(output) && rule.matches.some(match => match.kind === 'ctstate' && match.states.includes('established'))
      );
    case 'filter FORWARD iif oif! accept':
      return onBridge(input) && input === output;
    case 'filter FORWARD iif oif accept':
      return onBridge(input) && input === output;
    case 'filter FORWARD iif oif drop':
      return input !== undefined && input === output && onBridge(input) && docker.dropsWithin(input) !== false;
    case 'nat POSTROUTING oif! saddr masquerade':
    case 'nat POSTROUTING oif! saddr snat':
    case 'nat POSTROUTING oif srctype masquerade':
      return onBridge(output);
    case 'nat POSTROUTING daddr dport proto saddr masquerade':
      return source === destination && own(source);
    case 'raw PREROUTING daddr iif! drop':
      return onBridge(input);
    case 'raw PREROUTING daddr iif accept':
      return own(destination);
    case 'raw PREROUTING daddr dport iif! proto drop':
      return input === 'lo' && /^(127\.|::1\/)/.test(destination ?? '');
    default:
      return false;
  }
}

/** Who a rule's comment or interfaces give away. */
function authorOfContent(rule: RuleReading): Author | undefined {
  if (/^(kubernetes |cali:)/.test(rule.comment ?? '')) return 'kubernetes';
  const names = rule.matches.flatMap(match => (match.kind === 'iif' || match.kind === 'oif' ? match.names : []));
  return names.some(name => name.startsWith('virbr')) ? 'libvirt' : undefined;
}

/**
 * Who wrote a rule; `admin` is everybody who leaves no trace of himself, `unknown` whoever set a policy of iptables.
 * @param rule undefined for the policy of the chain
 * @param firewalld whether firewalld's own chains are among the rules (`hasFirewalldChains`)
 */
export function authorOf(
  chain: ChainReading,
  rule: RuleReading | undefined,
  docker: DockerNames,
  firewalld: boolean,
): Author {
  const isXtables = chain.backend !== 'nft';
  const ofTable = isXtables ? undefined : authorOfTable(chain.table);
  if (ofTable) return ofTable;
  // dockerd itself, ufw, firewalld and people set these policies, and nothing tells which of them did.
  if (!rule) return isXtables ? 'unknown' : 'admin';
  const target = rule.target.kind === 'jump' || rule.target.kind === 'goto' ? rule.target.chain : undefined;
  const ofTarget = target === undefined ? undefined : authorOfChain(target, firewalld);
  if (hasTellingPlaces(chain)) {
    // Docker until 27 ended the chain with this one; all others in it are for it to leave alone.
    const isOwnReturn =
      rule.target.kind === 'return' && rule.matches.length === 0 && rule.number === chain.rules.length;
    return isOwnReturn ? 'docker' : (ofTarget ?? 'admin');
  }
  const ofChain = chain.hook === undefined ? authorOfChain(chain.name, firewalld) : undefined;
  if (ofChain) return ofChain;
  if (isXtables && chain.hook !== undefined && isDockerShaped(chain, rule, docker)) return 'docker';
  return ofTarget ?? authorOfContent(rule) ?? 'admin';
}
