/** A packet at a netfilter hook: every base chain in the order of the kernel, and address translation in its place. */
import type { Hook } from '../../host/readings.ts';
import { parseAddress, parseSpan, placeText, spanText, type Span } from './address.ts';
import { ChainWalk, type NatTarget } from './chains.ts';
import type { Chooser } from './chooser.ts';
import { clientPorts, type Packet } from './packet.ts';
import type { ReadyChain } from './ruleset.ts';
import { stop, Stop } from './stop.ts';
import type { DecidedBy, Hop } from './verdict.ts';
import type { World } from './world.ts';

/** Conntrack looks at packets at this priority (NF_IP_PRI_CONNTRACK). */
const conntrackPriority = -200;

/** Which address the kernel translates at a hook. */
const manipulates: Partial<Record<Hook, 'destination' | 'source'>> = {
  prerouting: 'destination',
  output: 'destination',
  input: 'source',
  postrouting: 'source',
};

const titles: Record<Hook, string> = {
  prerouting: 'PREROUTING',
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
  postrouting: 'POSTROUTING',
  ingress: 'ingress',
  egress: 'egress',
};

/** Told of a step of the way; a function is asked for it only where somebody wants to know. */
export type Note = (hop: Hop | (() => Hop)) => void;

/** What the hooks of one netns need to know of it. */
export type HookWorld = Pick<World, 'rules' | 'rulesGap' | 'addresses' | 'fib' | 'kernel' | 'links'>;

/** Takes packets through hooks and notes what happened. */
export class HookWalk {
  private readonly world: HookWorld;
  private readonly chooser: Chooser;
  private readonly chains: ChainWalk;
  /** Notes a step of the way. */
  private readonly note: Note;
  private gapTaken = false;

  constructor(world: HookWorld, chooser: Chooser, note: Note) {
    this.world = world;
    this.chooser = chooser;
    this.chains = new ChainWalk(world.rules, chooser);
    this.note = note;
  }

  /** Lets the packet pass a hook; it may be changed by that. */
  pass(packet: Packet, hook: Hook): Stop | undefined {
    const gap = this.gap();
    if (gap) return gap;
    const { before, nat, after } = this.world.rules.hook(packet.family, hook);
    const accepted: (() => DecidedBy)[] = [];
    this.chains.returned = [];
    const run = (chains: readonly ReadyChain[]): Stop | undefined => {
      for (const [index, chain] of chains.entries()) {
        packet.tracked ||= (chain.reading.priority ?? 0) > conntrackPriority;
        const verdict = this.chains.base(chain, packet);
        if (verdict.kind === 'drop') return this.dropped(packet, hook, verdict.by(), chains.slice(index));
        if (verdict.kind === 'unsure') return unsureBy(titles[hook], verdict.by());
        if (verdict.kind === 'accept' && verdict.isRule) accepted.push(verdict.by);
      }
      return undefined;
    };
    const early = run(before);
    if (early) return early;
    packet.tracked = true;
    const translated = this.translate(packet, hook, nat);
    if (translated) return translated;
    const late = run(after);
    if (late) return late;
    if (hook === 'forward' || hook === 'input' || hook === 'output') {
      const { returned } = this.chains;
      this.note(() => {
        const by = accepted.at(-1)?.();
        const passedBy = () => [...returned, ...accepted].map(each => each());
        const { rulesGap } = this.world;
        if (rulesGap !== undefined) {
          const isPart = before.length + nat.length + after.length > 0;
          const why = `${isPart ? 'not all rules' : 'rules not'} read (${rulesGap.replace('firewall rules: ', '')})`;
          const detail = by ? `${why}; of those that were, ${by.detail} accepts it` : why;
          return { hop: titles[hook], ok: false, unknown: true, detail, passedBy };
        }
        return { hop: titles[hook], ok: true, detail: by ? `accepted by ${by.detail}` : 'accepted', passedBy };
      });
    }
    return undefined;
  }

  /** A drop; chains of the same priority may have come before the one that is named. */
  private dropped(packet: Packet, hook: Hook, by: DecidedBy, [own, ...later]: readonly ReadyChain[]): Stop {
    const rivals = later.filter(({ reading }) => reading.priority === own?.reading.priority);
    const also = rivals.flatMap(chain => {
      const verdict = this.chains.base(chain, { ...packet, ct: { ...packet.ct } });
      return verdict.kind === 'drop' ? [verdict.by().detail] : [];
    });
    const detail = also.length > 0 ? `${by.detail} (and so does ${also.join(', ')}, at the same priority)` : by.detail;
    return new Stop('blocked', titles[hook], { ...by, detail });
  }

  /** Frames pass chains of the families bridge and netdev: on which device is not read. */
  frame(packet: Packet): Stop | undefined {
    for (const chain of this.world.rules.frames) {
      const verdict = this.chains.base(chain, packet);
      if (verdict.kind !== 'drop') continue;
      const by = verdict.by();
      if (this.chooser.choose(2, () => by) === 1) return new Stop('blocked', chain.reading.name, by);
    }
    return undefined;
  }

  /** Where rules could not be read, some may be there that drop it. */
  private gap(): Stop | undefined {
    const { rulesGap } = this.world;
    if (rulesGap === undefined || this.gapTaken) return undefined;
    this.gapTaken = true;
    const decided = (): DecidedBy => ({ kind: 'rule', detail: rulesGap });
    return this.chooser.choose(2, decided) === 1 ? new Stop('blocked', 'firewall', decided()) : undefined;
  }

  private translate(packet: Packet, hook: Hook, chains: readonly ReadyChain[]): Stop | undefined {
    const side = manipulates[hook];
    const { ct } = packet;
    if (!side || ct.untracked) return undefined;
    if (packet.direction === 'reply') {
      if (side === 'destination' && ct.snat) {
        packet.destination = ct.source;
        packet.port = ct.sourcePort;
      } else if (side === 'source' && ct.dnat) {
        packet.source = ct.destination;
        packet.sourcePort = [ct.port, ct.port];
      }
      return undefined;
    }
    const done = side === 'destination' ? ct.dnatDone : ct.snatDone;
    if (!done) {
      const stopped = this.ask(packet, hook, chains);
      if (stopped) return stopped;
      if (side === 'destination') ct.dnatDone = true;
      else ct.snatDone = true;
    }
    if (side === 'destination' && ct.dnat) {
      packet.destination = ct.dnat.address;
      packet.port = [ct.dnat.port, ct.dnat.port];
    } else if (side === 'source' && ct.snat) {
      packet.source = ct.snat.address;
      packet.sourcePort = ct.snat.port;
    }
    return undefined;
  }

  /** The first packet of a connection asks the nat chains, until one of them translates. */
  private ask(packet: Packet, hook: Hook, chains: readonly ReadyChain[]): Stop | undefined {
    for (const [index, chain] of chains.entries()) {
      let verdict = this.chains.base(chain, packet);
      if (verdict.kind === 'drop') return new Stop('blocked', titles[hook], verdict.by());
      if (verdict.kind === 'unsure') return unsureBy(titles[hook], verdict.by());
      if (verdict.kind !== 'nat') continue;
      // Which of two chains of one priority comes first hangs on which was made first, and nobody tells that.
      for (const rival of chains.slice(index + 1)) {
        if (rival.reading.priority !== chain.reading.priority) break;
        const other = this.chains.base(rival, packet);
        if (other.kind === 'nat' && this.chooser.choose(2, other.by) === 1) verdict = other;
      }
      return this.apply(packet, hook, verdict.target, verdict.by);
    }
    return undefined;
  }

  private apply(packet: Packet, hook: Hook, target: NatTarget, by: () => DecidedBy): Stop | undefined {
    const unsure = (why: string) => new Stop('unknown', titles[hook], { ...by(), detail: `${why}: ${by().detail}` });
    const { ct } = packet;
    if (target.kind === 'netmap') {
      const isDestination = manipulates[hook] === 'destination';
      const address = withPrefix(isDestination ? packet.destination : packet.source, target.prefix);
      if (!address) return unsure('which address it makes cannot be told');
      if (isDestination) ct.dnat = { address, port: packet.port[0] };
      else ct.snat = { address, port: packet.sourcePort };
      this.note(() => ({
        hop: `nat ${titles[hook]}`,
        ok: true,
        detail: `${isDestination ? 'to' : 'from'} ${spanText(address)} by ${by().detail}`,
      }));
      return undefined;
    }
    if (target.kind === 'dnat' || target.kind === 'redirect') {
      const address =
        target.kind === 'redirect'
          ? this.redirected(packet)
          : target.address === undefined
            ? packet.destination
            : parseAddress(target.address);
      const [from, to] = target.port ?? packet.port;
      if (!address || from !== to) return unsure('which destination it picks cannot be told');
      ct.dnat = { address, port: from };
      this.note(() => ({
        hop: `nat ${titles[hook]}`,
        ok: true,
        detail: `to ${placeText(address, from)} by ${by().detail}`,
      }));
      return undefined;
    }
    const address =
      target.kind === 'masquerade'
        ? this.masked(packet)
        : target.address === undefined
          ? packet.source
          : parseSpan(target.address);
    if (!address) return unsure('the address to masquerade with cannot be told');
    ct.snat = { address, port: target.port ?? clientPorts };
    this.note(() => ({ hop: `nat ${titles[hook]}`, ok: true, detail: `from ${spanText(address)} by ${by().detail}` }));
    return undefined;
  }

  /** REDIRECT: the address of the interface it came by; for what the host sends itself, loopback. */
  private redirected({ family, iif }: Packet): Span | undefined {
    if (iif === '' || iif === 'lo') return parseAddress(family === 4 ? '127.0.0.1' : '::1');
    return this.world.addresses(iif, family)[0]?.address;
  }

  /** MASQUERADE: the address of the interface it leaves by, of the next hop's subnet if there is one. */
  private masked({ family, oif, source, destination, mark }: Packet): Span | undefined {
    const own = this.world.addresses(oif, family).filter(({ scope }) => scope === 'global' || oif === 'lo');
    const answer = this.world.fib.lookup({ destination, source, ...(mark !== undefined && { mark }) });
    const next = (answer.kind === 'route' && answer.route.gateway) || destination;
    return (own.find(({ subnet }) => subnet.from <= next.from && next.to <= subnet.to) ?? own[0])?.address;
  }
}

/** A stop at a rule that does something that is not followed. */
const unsureBy = (hop: string, by: DecidedBy): Stop =>
  new Stop('unknown', hop, { ...by, detail: `what this does is not followed: ${by.detail}` });

/** The address with the bits of a prefix in place of its own (NETMAP). */
function withPrefix({ family, from, to }: Span, prefix: string): Span | undefined {
  const span = parseSpan(prefix);
  if (!span || span.family !== family || from !== to) return undefined;
  const size = BigInt(span.to) - BigInt(span.from) + 1n;
  const value = BigInt(span.from) + (BigInt(from) % size);
  const address = family === 4 ? Number(value) : value;
  return { family, from: address, to: address };
}

/** A stop at a hook for a reason that is no rule. */
export const unsureStop = (hop: string, detail: string): Stop => stop('unknown', hop, 'route', detail);
