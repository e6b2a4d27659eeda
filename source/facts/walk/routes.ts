/** Routing tables, looked up as the kernel does: rules by priority, in each table the longest prefix, then the metric. */
import type { RouteReading, RoutingRuleReading } from '../../host/readings.ts';
import { anyAddress, covers, isIn, parseSpan, type Family, type Span, type Truth } from './address.ts';

export interface Route {
  readonly span: Span;
  readonly prefix: number;
  readonly reading: RouteReading;
  /** Where the packet is sent to on the link; absent: to its destination itself. */
  readonly gateway?: Span;
  readonly source?: Span;
}

/** What is known of the packet when it is routed. */
export interface RouteQuestion {
  destination: Span;
  source?: Span;
  iif?: string;
  mark?: number;
}

/** A route, none, or why that cannot be told. */
export type RouteAnswer = { kind: 'route'; route: Route } | { kind: 'none' } | { kind: 'unknown'; reason: string };

const defaultRules = (family: Family): RoutingRuleReading[] => [
  { family, priority: 0, table: 'local', text: 'from all lookup local', plain: true },
  { family, priority: 32766, table: 'main', text: 'from all lookup main', plain: true },
  { family, priority: 32767, table: 'default', text: 'from all lookup default', plain: true },
];

/** The routes of one netns. */
export class Fib {
  private readonly tables = new Map<string, Route[]>();
  private readonly rules: Record<Family, RoutingRuleReading[]>;

  /** @param rules undefined: the kernel's defaults are taken for granted */
  constructor(routes: readonly RouteReading[], rules?: readonly RoutingRuleReading[]) {
    for (const reading of routes) {
      const span = reading.destination === 'default' ? anyAddress(reading.family) : parseSpan(reading.destination);
      // A next hop that the kernel itself does not use.
      if (!span || reading.flags.includes('dead')) continue;
      const prefix = reading.destination === 'default' ? 0 : Number(reading.destination.split('/')[1]);
      const gateway = reading.gateway === undefined ? undefined : parseSpan(reading.gateway);
      const source = reading.source === undefined ? undefined : parseSpan(reading.source);
      const key = `${reading.family} ${reading.table}`;
      const table = this.tables.get(key) ?? [];
      this.tables.set(key, table);
      table.push({ span, prefix, reading, ...(gateway && { gateway }), ...(source && { source }) });
    }
    for (const table of this.tables.values()) {
      table.sort((a, b) => b.prefix - a.prefix || (a.reading.metric ?? 0) - (b.reading.metric ?? 0));
    }
    const of = (family: Family) => {
      const own = rules?.filter(rule => rule.family === family) ?? [];
      return own.length > 0 ? own.sort((a, b) => a.priority - b.priority) : defaultRules(family);
    };
    this.rules = { 4: of(4), 6: of(6) };
  }

  private inTable(table: string, destination: Span): Route | undefined {
    return this.tables.get(`${destination.family} ${table}`)?.find(({ span }) => covers(span, destination));
  }

  /** The type of an address in the local table: local, broadcast, multicast…; undefined when it is not in it. */
  localType(address: Span): string | undefined {
    return this.inTable('local', address)?.reading.type;
  }

  /** The interface that has an address of the local table. */
  localDevice(address: Span): string | undefined {
    return this.inTable('local', address)?.reading.device;
  }

  /** The unicast routes by an interface in the tables that are always asked. */
  through(device: string, family: Family): Route[] {
    return ['main', 'default'].flatMap(name =>
      (this.tables.get(`${family} ${name}`) ?? []).filter(
        ({ reading }) => reading.type === 'unicast' && reading.device === device,
      ),
    );
  }

  /** What the tables that are always asked have routes to. */
  spans(family: Family): readonly Pick<Route, 'span' | 'prefix'>[] {
    return ['local', 'main', 'default'].flatMap(name => this.tables.get(`${family} ${name}`) ?? []);
  }

  /**
   * The routes to a part of a range and not to all of it, in the tables that the routing rules ask: `lookup` of the whole range
   * passes over them, as the kernel does not when somebody in that part is meant (the longest prefix wins, ip-route(8)).
   */
  within(range: Span): Route[] {
    const tables = new Set(this.rules[range.family].map(({ table }) => table));
    return [...tables].flatMap(table =>
      (this.tables.get(`${range.family} ${table}`) ?? []).filter(
        ({ span }) => covers(range, span) && !covers(span, range),
      ),
    );
  }

  /** The route of a packet. */
  lookup(question: RouteQuestion): RouteAnswer {
    const { destination } = question;
    for (const rule of this.rules[destination.family]) {
      const applies = appliesTo(rule, question);
      if (applies === 'no') continue;
      const unsure = (): RouteAnswer => ({ kind: 'unknown', reason: `the routing rule "${rule.text}" may apply` });
      // An action other than a lookup (blackhole, prohibit…).
      if (rule.table === undefined) return unsure();
      const route = this.inTable(rule.table, destination);
      if (!route || (rule.suppressPrefix !== undefined && route.prefix <= rule.suppressPrefix)) continue;
      const isUsual = rule.table === 'local' || rule.table === 'main' || rule.table === 'default';
      if (applies === 'maybe' || !isUsual) return unsure();
      // `throw` ends the search in this table only (ip-route(8)).
      if (route.reading.type === 'throw') continue;
      return { kind: 'route', route };
    }
    return { kind: 'none' };
  }
}

function appliesTo(rule: RoutingRuleReading, { source, destination, iif, mark }: RouteQuestion): Truth {
  const parts: Truth[] = [];
  const from = rule.from === undefined ? undefined : parseSpan(rule.from);
  const to = rule.to === undefined ? undefined : parseSpan(rule.to);
  if (from) parts.push(source ? isIn(source, [from]) : 'maybe');
  if (to) parts.push(isIn(destination, [to]));
  if (rule.iif !== undefined) parts.push(rule.iif === (iif ?? 'lo') ? 'yes' : 'no');
  if (rule.mark !== undefined) {
    const { value, mask } = rule.mark;
    parts.push(mark === undefined ? 'maybe' : (mark & mask) >>> 0 === value >>> 0 ? 'yes' : 'no');
  }
  if (!rule.plain) parts.push('maybe');
  const result: Truth = parts.includes('no') ? 'no' : parts.includes('maybe') ? 'maybe' : 'yes';
  if (!rule.negate || result === 'maybe') return result;
  return result === 'yes' ? 'no' : 'yes';
}
