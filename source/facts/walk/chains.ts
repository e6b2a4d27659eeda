/** One base chain, evaluated for one packet: nf_tables(8), iptables(8). */
import type { RuleTarget } from '../../host/readings.ts';
import type { Chooser } from './chooser.ts';
import type { Packet } from './packet.ts';
import type { ReadyChain, ReadyRule, Ruleset } from './ruleset.ts';
import type { DecidedBy } from './verdict.ts';

export type NatTarget = Extract<RuleTarget, { kind: 'dnat' | 'snat' | 'redirect' | 'masquerade' | 'netmap' }>;

/** What a base chain does with a packet. */
export type ChainVerdict =
  | { kind: 'accept'; /** Whether a rule did, and not the policy. */ isRule: boolean; by: () => DecidedBy }
  | { kind: 'drop'; by: () => DecidedBy }
  | { kind: 'nat'; target: NatTarget; by: () => DecidedBy }
  /** What becomes of it cannot be told at all. */
  | { kind: 'unsure'; by: () => DecidedBy };

/** The kernel allows 16 jumps; more is a loop that it would have refused. */
const deepest = 64;

/** What is told of an unknown target: it may let the packet go on, end it here, or let it pass the rest of the chain. */
const unknownOptions = ['continue', 'drop', 'accept', 'unsure'] as const;

/** Goes through base chains for one packet after the other. */
export class ChainWalk {
  private readonly rules: Ruleset;
  private readonly chooser: Chooser;
  /** Rules with a match of their own that sent a packet back to the chain before; whoever walks on empties it. */
  returned: (() => DecidedBy)[] = [];

  constructor(rules: Ruleset, chooser: Chooser) {
    this.rules = rules;
    this.chooser = chooser;
  }

  /** The verdict of a base chain, its policy included. */
  base(chain: ReadyChain, packet: Packet): ChainVerdict {
    const found = this.through(chain, packet, 0);
    if (found) return found;
    const by = () => this.rules.describe(chain);
    return chain.reading.policy === 'drop' ? { kind: 'drop', by } : { kind: 'accept', isRule: false, by };
  }

  private through(chain: ReadyChain, packet: Packet, depth: number): ChainVerdict | undefined {
    if (depth > deepest) return undefined;
    for (const rule of chain.candidates(packet)) {
      const found = rule.test(packet);
      if (found === 'no' || rule.idle) continue;
      const by = () => this.rules.describe(chain, rule);
      if (found === 'maybe' && this.chooser.choose(2, () => whether(by())) === 0) continue;
      for (const effect of rule.effects) this.affect(effect, packet);
      const { target } = rule;
      switch (target.kind) {
        case 'accept':
          return { kind: 'accept', isRule: true, by };
        case 'drop':
        case 'reject':
          return { kind: 'drop', by };
        case 'return':
          if (rule.rule.matches.length > 0) this.returned.push(by);
          return undefined;
        case 'jump':
        case 'goto': {
          const next = rule.next.get(target.chain);
          const result = next && this.through(next, packet, depth + 1);
          if (result || target.kind === 'goto') return result;
          break;
        }
        case 'vmap': {
          const result = this.mapped(rule, packet, depth, by);
          if (result !== 'go on') return result;
          break;
        }
        case 'dnat':
        case 'snat':
        case 'redirect':
        case 'masquerade':
        case 'netmap':
          return { kind: 'nat', target, by };
        case 'natmap': {
          const mapped = this.translation(rule, packet, by);
          if (mapped) return mapped;
          break;
        }
        case 'unknown': {
          const result = this.unknown(target.text, packet, by);
          if (result) return result;
          break;
        }
        case 'mark':
        case 'setconnmark':
        case 'savemark':
        case 'restoremark':
        case 'none':
        case 'log':
        case 'continue':
          this.affect(target, packet);
      }
    }
    return undefined;
  }

  private mapped(
    rule: ReadyRule,
    packet: Packet,
    depth: number,
    by: () => DecidedBy,
  ): ChainVerdict | undefined | 'go on' {
    if (!rule.map) return this.unmapped(rule, packet, depth, by);
    for (const { entry, test } of rule.map) {
      const found = test(packet);
      if (found === 'no') continue;
      if (found === 'maybe' && this.chooser.choose(2, () => whether(by())) === 0) continue;
      return this.entry(entry, rule, packet, depth, by);
    }
    return 'go on';
  }

  private translation({ natMap }: ReadyRule, packet: Packet, by: () => DecidedBy): ChainVerdict | undefined {
    if (!natMap) return { kind: 'unsure', by };
    for (const { entry, test } of natMap) {
      const found = test(packet);
      if (found === 'no') continue;
      if (found === 'maybe' && this.chooser.choose(2, () => whether(by())) === 0) continue;
      return { kind: 'nat', target: entry.target, by };
    }
    return undefined;
  }

  /** A map with a key that is not understood: any of its entries, or none. */
  private unmapped(rule: ReadyRule, packet: Packet, depth: number, by: () => DecidedBy) {
    if (rule.target.kind !== 'vmap') return 'go on' as const;
    const option = this.chooser.choose(rule.target.entries.length + 1, () => whether(by()));
    const entry = rule.target.entries[option - 1];
    return entry ? this.entry(entry, rule, packet, depth, by) : ('go on' as const);
  }

  private entry(
    entry: { verdict: string; chain?: string },
    rule: ReadyRule,
    packet: Packet,
    depth: number,
    by: () => DecidedBy,
  ): ChainVerdict | undefined | 'go on' {
    switch (entry.verdict) {
      case 'accept':
        return { kind: 'accept', isRule: true, by };
      case 'drop':
        return { kind: 'drop', by };
      case 'return':
        return undefined;
      case 'jump':
      case 'goto': {
        const next = rule.next.get(entry.chain ?? '');
        const result = next && this.through(next, packet, depth + 1);
        return result || entry.verdict === 'goto' ? result : 'go on';
      }
      default:
        return 'go on';
    }
  }

  private unknown(text: string, packet: Packet, by: () => DecidedBy): ChainVerdict | undefined {
    if (/\bNOTRACK\b|--notrack|^notrack/.test(text)) {
      packet.ct.untracked = true;
      return undefined;
    }
    // These write marks and nothing else (iptables-extensions(8), nft(8)).
    if (/CONNMARK|^-j MARK|(meta|ct) mark set/.test(text)) {
      forgetMarks(packet);
      return undefined;
    }
    // What is handed to a program may be let through or not; other targets may do anything (translate, answer, divert).
    const most = /^(-j NFQUEUE|queue)\b/.test(text) ? unknownOptions.length - 1 : unknownOptions.length;
    const option = unknownOptions[this.chooser.choose(most, () => whether(by()))];
    if (option === 'drop') return { kind: 'drop', by };
    if (option === 'unsure') return { kind: 'unsure', by };
    if (option === 'accept') return { kind: 'accept', isRule: true, by };
    forgetMarks(packet);
    return undefined;
  }

  private affect(effect: RuleTarget, packet: Packet): void {
    const { ct } = packet;
    const hasConnection = packet.tracked && !ct.untracked;
    if (effect.kind === 'unknown') forgetMarks(packet);
    if (effect.kind === 'mark') packet.mark = written(packet.mark, effect.mask, effect.value);
    if (!hasConnection) return;
    if (effect.kind === 'setconnmark') ct.mark = written(ct.mark, effect.mask, effect.value);
    if (effect.kind === 'savemark') ct.mark = written(ct.mark, effect.connMask, masked(packet.mark, effect.packetMask));
    if (effect.kind === 'restoremark')
      packet.mark = written(packet.mark, effect.packetMask, masked(ct.mark, effect.connMask));
  }
}

/** Marks are numbers of 32 bits without a sign; undefined is one that is not known. */
type Mark = number | undefined;

const masked = (mark: Mark, mask: number): Mark => (mark === undefined ? undefined : (mark & mask) >>> 0);

const written = (old: Mark, mask: number, value: Mark): Mark => {
  if (value === undefined) return undefined;
  if (mask >>> 0 === 0xffffffff) return value >>> 0;
  return old === undefined ? undefined : ((old & ~mask) ^ value) >>> 0;
};

function forgetMarks(packet: Packet): void {
  packet.mark = undefined;
  packet.ct.mark = undefined;
}

/** A rule of which is not known whether it applies. */
const whether = (by: DecidedBy): DecidedBy => ({ ...by, detail: `whether this applies cannot be told: ${by.detail}` });
