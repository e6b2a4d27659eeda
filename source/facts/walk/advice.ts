/** What an operator can do about a port that is cut off or dead, and how to see it without netdash. */
import { areNftNames, shellWord } from '../shell-words.ts';
import { isTypable } from '../sysctl.ts';
import { parseSpan } from './address.ts';
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

/** A command as it is to be run where it was decided: in a container's netns, or in the host's. */
const runIn = ({ pid }: DecidedBy, command: string): string =>
  pid === undefined ? command : `nsenter -t ${pid} -n ${command}`;

function ruleConfirm(decided: DecidedBy, text: string): string | undefined {
  // Without its pid there is no way into that netns.
  if (decided.inside !== undefined && decided.pid === undefined) return undefined;
  return runIn(decided, listing(decided, text));
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

function listenerAdvice(
  { from, to: { port, proto } }: Question,
  decided: DecidedBy,
  verdict: Verdict['verdict'],
): Advice {
  const { detail, publishedFor } = decided;
  const letter = proto === 'udp' ? 'u' : 't';
  if (/is paused/.test(detail)) return { fix: 'Unpause the container.', confirm: 'docker ps --filter status=paused' };
  if (/takes IPv4|UDP socket on/.test(detail)) return {};
  const confirm = runIn(decided, `ss -Hln${letter}p`);
  if (verdict === 'unknown') return { confirm };
  const [, devices] = / only at (.* on [^,]+), not at /.exec(detail) ?? [];
  if (devices !== undefined) {
    const fix =
      'Let the program listen on every interface: it is bound to one (SO_BINDTODEVICE), and takes only what comes in by that.';
    return { fix, confirm };
  }
  if (publishedFor) {
    const { container, containerPort = '…' } = publishedFor;
    const publish = `-p ${port}:${containerPort}${proto === 'tcp' ? '' : `/${proto}`}`;
    if (verdict === 'nothing-listening' && from.kind === 'loopback')
      return { fix: `Docker publishes it on loopback: ask for it there, or publish it with ${publish}.`, confirm };
    const fix = `Docker publishes it on loopback, for this host alone: if others are to reach ${container}, publish it with ${publish}.`;
    return { fix, confirm };
  }
  return {
    fix: /only at (127\.|::1)/.test(detail)
      ? 'Let the program listen on 0.0.0.0 (or the address that is asked for) instead of loopback only.'
      : 'Start what should listen there, or publish the port that it does listen on.',
    confirm,
  };
}

/** Of an address that was taken from the host. */
function lackAdvice({ address, interface: name }: NonNullable<DecidedBy['lacks']>): Advice {
  const elsewhere = 'Publish it at an address that this host has';
  const again =
    name !== undefined && isTypable(name) ? `, or give it that address again: ip addr add ${address} dev ${name}` : '.';
  return { fix: `${elsewhere}${again}`, confirm: `ip addr show to ${address.replace(/\/\d+$/, '')}` };
}

/** Of a route that refuses, which may be meant: it keeps out whoever is there. */
function refusalFix(detail: string, to: string): string | undefined {
  const [, destination = '', type] =
    /'s route to (\S+) is of type (blackhole|unreachable|prohibit)$/.exec(detail) ?? [];
  if (type === undefined || (destination !== 'default' && !parseSpan(destination))) return undefined;
  return `If that is not meant to keep them out: ip${to.includes(':') ? ' -6' : ''} route del ${type} ${destination}`;
}

function routeAdvice({ to: { address, port, proto } }: Question, decided: DecidedBy): Advice {
  const { detail, routeTo, lacks, past } = decided;
  if (lacks) return lackAdvice(lacks);
  if (past !== undefined && routeTo !== undefined) {
    const fix = `Ask for it at its own address on that network, ${past}, or take the container off that network (docker network disconnect), so that its answers go by the host.`;
    return { fix, confirm: runIn(decided, `ip route get ${routeTo}`) };
  }
  const down = /(?:^|: )(\S+?)(?:, the bridge that .*)? is down$/.exec(detail)?.[1];
  if (down !== undefined && isTypable(down))
    return { fix: `ip link set ${down} up`, confirm: `ip -d link show ${down}` };
  const silent = /(?:^|: )(\S+) has no carrier$/.exec(detail)?.[1];
  if (silent !== undefined && isTypable(silent)) {
    const fix = `Nothing is at the other end of ${silent}: plug it in, or take its routes away.`;
    return { fix, confirm: `ip -d link show ${silent}` };
  }
  const [, bridge = '', gateway = ''] = /: (\S+) does not have ([\d.a-f:]+\/\d+)$/.exec(detail) ?? [];
  const isBridge = isTypable(bridge) && gateway !== '';
  if (routeTo !== undefined) {
    const fix = isBridge
      ? `Give ${bridge} its address again: ip addr add ${gateway} dev ${bridge}`
      : decided.pid === undefined
        ? refusalFix(detail, address)
        : 'If something took its default route away: restarting the container sets it again.';
    return { ...(fix !== undefined && { fix }), confirm: runIn(decided, `ip route get ${routeTo}`) };
  }
  if (decided.pid !== undefined) return { confirm: runIn(decided, 'ip addr') };
  // What the kernel does with ::1 is in no table: only a try shows it.
  if (/lets nothing from ::1 out/.test(detail))
    return {
      fix: 'Publish it on 127.0.0.1 instead of ::1, or let Docker run its docker-proxy (userland-proxy), which takes ::1.',
      ...(proto === 'tcp' && {
        confirm: `timeout 3 bash -c ': </dev/tcp/::1/${port}' && echo answered || echo no answer`,
      }),
    };
  return {};
}

/** Advice for a verdict that is not `reachable`. */
export function adviceFor(question: Question, { verdict, decidedBy }: Verdict): Advice {
  if (verdict === 'reachable' || !decidedBy) return {};
  const { kind, detail, text } = decidedBy;
  switch (kind) {
    case 'rule':
    case 'policy': {
      if (decidedBy.chain === undefined) return { fix: 'Run netdash as root, with iptables and nft installed.' };
      const command = ruleConfirm(decidedBy, text ?? (decidedBy.handle === undefined ? '-P' : ''));
      const confirm = command === undefined ? {} : { confirm: command };
      if (verdict !== 'unknown') return { fix: ruleFix(decidedBy), ...confirm };
      // One rule for one neighbour: of all of them nothing can be said.
      const isAboutOne =
        question.from.kind === 'lan' &&
        question.from.address === undefined &&
        /-s |saddr|src-range|match-set \S+ src/.test(text ?? '');
      return {
        ...(isAboutOne && { fix: 'It depends on who asks: name one neighbour with --from ADDRESS.' }),
        ...confirm,
      };
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
    case 'route':
      return routeAdvice(question, decidedBy);
    case 'bridge':
      return { confirm: 'bridge -d link' };
    case 'listener':
      return listenerAdvice(question, decidedBy, verdict);
    case 'proxy':
      break;
  }
  return { confirm: `ss -Hlntup 'sport = :${question.to.port}'` };
}
