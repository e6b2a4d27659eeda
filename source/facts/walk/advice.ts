/** What an operator can do about a port that is cut off or dead, and how to see it without netdash. */
import { areNftNames, shellWord } from '../shell-words.ts';
import { isTypable } from '../sysctl.ts';
import type { DecidedBy, Question, Verdict } from './verdict.ts';

/** Both are absent where nothing useful can be said. */
export interface Advice {
  fix?: string;
  confirm?: string;
}

const authors: Partial<Record<NonNullable<DecidedBy['author']>, string>> = {
  docker:
    "Docker wrote this rule. Publish the port, or change the network's options (gateway mode, icc, internal), instead of the rule.",
  ufw: 'ufw wrote this rule: allow the port with `ufw route allow` (published ports) or `ufw allow` (programs of the host).',
  firewalld: 'firewalld wrote this rule: allow it in the zone or policy (`firewall-cmd`).',
  fail2ban: 'fail2ban wrote this rule: take the address out of the ban (`fail2ban-client unban`).',
  kubernetes: 'Kubernetes wrote this rule; if no Kubernetes runs here any more, its rules are remains.',
  libvirt: "libvirt wrote this rule: see the network's settings (`virsh net-edit`).",
};

function ruleConfirm({ inside, ...decided }: DecidedBy, text: string): string {
  const there = listing(decided, text);
  return inside === undefined ? there : `nsenter -t PID -n ${there}`;
}

function listing({ family, table = '', chain = '', handle }: DecidedBy, text: string): string {
  const isXtables = /^-[AP] /.test(text) || handle === undefined;
  if (isXtables && (family === 'ip' || family === 'ip6')) {
    return `${family === 'ip6' ? 'ip6tables' : 'iptables'} -t ${shellWord(table)} -nvL ${shellWord(chain)} --line-numbers`;
  }
  return areNftNames(family ?? '', table, chain)
    ? `nft -a list chain ${family} ${table} ${chain}`
    : 'nft -a list ruleset';
}

function ruleFix(decided: DecidedBy): string {
  const { author = 'admin', chain, rule, table, inside } = decided;
  if (inside !== undefined) {
    const what = decided.kind === 'policy' ? `the policy of ${table} ${chain}` : `rule ${rule} of ${table} ${chain}`;
    return `What runs in ${inside} wrote ${what} in its own network namespace: let its settings accept this.`;
  }
  if (decided.kind === 'policy') {
    return `Nothing in ${table} ${chain} accepts it, so its policy drops it: add a rule that does (DOCKER-USER is the place for published ports).`;
  }
  return authors[author] ?? `Change or remove rule ${rule} of ${table} ${chain}, or accept this before it.`;
}

function listenerAdvice(question: Question, detail: string): Advice {
  const { port, proto, address } = question.to;
  const letter = proto === 'udp' ? 'u' : 't';
  if (/is paused/.test(detail)) return { fix: 'Unpause the container.', confirm: 'docker ps --filter status=paused' };
  if (/takes IPv4|UDP socket on/.test(detail)) return {};
  return {
    fix: /only at (127\.|::1)/.test(detail)
      ? 'Let the program listen on 0.0.0.0 (or the address that is asked for) instead of loopback only.'
      : 'Start what should listen there, or publish the port that it does listen on.',
    confirm: `ss -Hln${letter}p  (inside: nsenter -t PID -n ss -Hln${letter}; asked for: ${address} port ${port})`,
  };
}

/** Advice for a verdict that is not `reachable`. */
export function adviceFor(question: Question, { verdict, decidedBy }: Verdict): Advice {
  if (verdict === 'reachable' || !decidedBy) return {};
  const { kind, detail, text } = decidedBy;
  switch (kind) {
    case 'rule':
    case 'policy': {
      if (decidedBy.chain === undefined) return { fix: 'Run netdash as root, with iptables and nft installed.' };
      const confirm = ruleConfirm(decidedBy, text ?? (decidedBy.handle === undefined ? '-P' : ''));
      if (verdict !== 'unknown') return { fix: ruleFix(decidedBy), confirm };
      // One rule for one neighbour: of all of them nothing can be said.
      const isAboutOne =
        question.from.kind === 'lan' &&
        question.from.address === undefined &&
        /-s |saddr|src-range|match-set \S+ src/.test(text ?? '');
      return { ...(isAboutOne && { fix: 'It depends on who asks: name one neighbour with --from ADDRESS.' }), confirm };
    }
    case 'sysctl': {
      const name = /(?<=^|: )net[./][^ ]+(?= is )/.exec(detail)?.[0];
      if (name === undefined) return {};
      const isLoose = name.endsWith('rp_filter');
      if (!isTypable(name.replaceAll('/', '.')))
        return isLoose ? { fix: `Set ${name} to 2 (loose) or mend the route.` } : { fix: `Set ${name} to 1.` };
      return {
        fix: isLoose ? `Set ${name} to 2 (loose) or mend the route.` : `sysctl -w ${name}=1`,
        confirm: `sysctl ${name}`,
      };
    }
    case 'route': {
      const down = /^(\S+), the bridge that .* is down$/.exec(detail)?.[1];
      if (down !== undefined && isTypable(down))
        return { fix: `ip link set ${down} up`, confirm: `ip -d link show ${down}` };
      return { confirm: `ip route get ${question.to.address}` };
    }
    case 'bridge':
      return { confirm: 'bridge -d link' };
    case 'listener':
      return listenerAdvice(question, detail);
    case 'proxy':
      break;
  }
  return { confirm: `ss -Hlntup sport = :${question.to.port}` };
}
