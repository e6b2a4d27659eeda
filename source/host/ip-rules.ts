/** What `ip -j rule` prints (ip-rule(8)). */
import * as v from 'valibot';
import { canonicalCidr } from './netfilter/addresses.ts';
import type { RoutingRuleReading } from './readings.ts';

const text = v.optional(v.string());
const number = v.optional(v.number());

const RuleSchema = v.looseObject({
  priority: v.number(),
  src: text,
  srclen: number,
  dst: text,
  dstlen: number,
  iif: text,
  fwmark: text,
  fwmask: text,
  table: text,
  suppress_prefixlen: number,
  protocol: text,
});

/** Keys that change nothing of what a rule asks for, or that are read. */
const plainKeys = new Set([...Object.keys(RuleSchema.entries), 'not']);

/**
 * The rules in the order in which the kernel tries them. An entry that is not understood becomes a rule that may apply to anything.
 * @param entries elements of the printed array
 * @param family that was asked for: the output does not tell
 */
export function parseRoutingRules(entries: readonly unknown[], family: 4 | 6): RoutingRuleReading[] {
  return entries.flatMap((entry): RoutingRuleReading[] => {
    if (typeof entry === 'object' && entry !== null && Object.keys(entry).length === 0) return [];
    const parsed = v.safeParse(RuleSchema, entry);
    if (!parsed.success) return [{ family, priority: 0, plain: false, text: JSON.stringify(entry) }];
    return [ruleOf(parsed.output, family)];
  });
}

function cidr(address: string | undefined, length: number | undefined): string | undefined | null {
  if (address === undefined || address === 'all') return undefined;
  return canonicalCidr(length === undefined ? address : `${address}/${length}`) ?? null;
}

function ruleOf(rule: v.InferOutput<typeof RuleSchema>, family: 4 | 6): RoutingRuleReading {
  const { priority, table, iif, fwmark, fwmask } = rule;
  const [from, to] = [cidr(rule.src, rule.srclen), cidr(rule.dst, rule.dstlen)];
  const reading: RoutingRuleReading = {
    family,
    priority,
    plain: from !== null && to !== null && Object.keys(rule).every(key => plainKeys.has(key)),
    text: '',
  };
  if (table !== undefined) reading.table = table;
  if (from) reading.from = from;
  if (to) reading.to = to;
  if (iif !== undefined) reading.iif = iif;
  if (fwmark !== undefined)
    reading.mark = { value: Number(fwmark), mask: fwmask === undefined ? 0xffffffff : Number(fwmask) };
  if ('not' in rule) reading.negate = true;
  if (rule.suppress_prefixlen !== undefined) reading.suppressPrefix = rule.suppress_prefixlen;
  reading.text = textOf(rule);
  return reading;
}

const withLength = (address: string, length: number | undefined): string =>
  length === undefined ? address : `${address}/${length}`;

/** The rule as `ip rule` prints it, with what is not known here as key and value. */
function textOf(rule: v.InferOutput<typeof RuleSchema>): string {
  const { src = 'all', srclen, dst, dstlen, iif, fwmark, fwmask, table, suppress_prefixlen: suppress, ...rest } = rule;
  const others = Object.entries(rest).filter(([key]) => key !== 'priority' && key !== 'protocol' && key !== 'not');
  return [
    `${rule.priority}:`,
    'not' in rule && 'not',
    `from ${withLength(src, srclen)}`,
    dst !== undefined && `to ${withLength(dst, dstlen)}`,
    iif !== undefined && `iif ${iif}`,
    fwmark !== undefined && `fwmark ${fwmark}${fwmask === undefined ? '' : `/${fwmask}`}`,
    ...others.map(([key, value]) => (value === null ? key : `${key} ${JSON.stringify(value).replaceAll('"', '')}`)),
    table !== undefined && `lookup ${table}`,
    suppress !== undefined && `suppress_prefixlength ${suppress}`,
  ]
    .filter(Boolean)
    .join(' ');
}
