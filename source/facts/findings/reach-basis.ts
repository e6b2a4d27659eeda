/**
 * What the verdicts on one container's ports rest on, so that a host with many containers does not walk them all whenever
 * something happens to one of them: its own row, what is inside, the rules and listeners that name its addresses and ports,
 * and all that names no container in particular.
 */
import type { NetfilterReading, RuleTarget } from '../../host/readings.ts';
import { hasCarrier } from '../carrier.ts';
import { settingsOf } from '../kernel-settings.ts';
import type { Container } from '../schema.ts';
import { haveSameItems } from '../sharing.ts';
import { covers, parseAddress, parseSpan, subnetOf, type Span } from '../walk/address.ts';
import { lanInterfaces } from '../walk/subjects.ts';
import type { FindingContext } from './detector.ts';
import { keyOf, KeyedRules } from './keyed-rules.ts';

/** What a basis is told from. */
export type Moment = Pick<FindingContext, 'readings' | 'now'> & {
  facts: Pick<FindingContext['facts'], 'containers' | 'networks' | 'links' | 'listeners' | 'interfaces'>;
};

/**
 * May rest on something that the comparison does not see (another container's answer): looked at anew when something changed
 * this long, in ms, after it was known to hold.
 */
const longestKept = 60_000;

/** The state of things for which something about a container was worked out. The same object as long as that holds. */
export interface Basis {
  readonly inside: unknown;
  readonly common: string;
  readonly own: string;
  /** The number of the reading of the rules, in its place: the reading would not be let go before the last basis of its time. */
  readonly rulesOf: number;
  /** The era in which it was last known to hold, by its number, and when that was. */
  era: number;
  at: number;
  /** Set by who finds something that a reader will see with its counters: it is worked out anew with each reading of the rules. */
  isShown: boolean;
}

const bases = new WeakMap<Container, Basis>();

let lastNumber = 0;
const numbers = new WeakMap<NetfilterReading, number>();

/** A number that no other reading of the rules has; 0 for none. */
function numberOf(netfilter: NetfilterReading | undefined): number {
  if (!netfilter) return 0;
  const known = numbers.get(netfilter);
  if (known !== undefined) return known;
  lastNumber += 1;
  numbers.set(netfilter, lastNumber);
  return lastNumber;
}

/** The basis of a container now: the one of before when nothing in it changed. */
export function basisOf(container: Container, context: FindingContext): Basis {
  const surroundings = surroundingsOf(context);
  const known = surroundings.bases.get(container);
  const holds = known !== undefined && isFresh(known, surroundings.era, context.now);
  const basis = holds ? known : judgeBasis(container, context, surroundings);
  surroundings.bases.set(container, basis);
  return basis;
}

function judgeBasis(container: Container, context: FindingContext, surroundings: Surroundings): Basis {
  const { readings, now } = context;
  const before = bases.get(container);
  const inside = readings.inside[container.id]?.value;
  const rulesOf = numberOf(readings.netfilter.value);
  const own = ownOf(container, surroundings).text;
  const { era } = surroundings;
  const holds =
    before !== undefined &&
    before.inside === inside &&
    before.common === surroundings.common &&
    before.own === own &&
    (before.rulesOf === rulesOf || !before.isShown) &&
    isFresh(before, era, now);
  if (holds) return before;
  const made: Basis = { inside, common: surroundings.common, own, rulesOf, era: era.number, at: now, isShown: false };
  bases.set(container, made);
  return made;
}

/** Whether what was worked out then is not too old; as long as nothing at all changes it does not age. */
export function isFresh(before: { era: number; at: number }, { number: era }: Era, now: number): boolean {
  if (before.era === era) before.at = now;
  return Math.abs(now - before.at) < longestKept;
}

/** Works something out for a container once for each basis. */
export function perBasis<T>(
  make: (container: Container, context: FindingContext, basis: Basis) => T,
): (container: Container, context: FindingContext) => T {
  const known = new WeakMap<Basis, { value: T }>();
  return (container, context) => {
    const basis = basisOf(container, context);
    const found = known.get(basis) ?? { value: make(container, context, basis) };
    known.set(basis, found);
    return found.value;
  };
}

/** All that verdicts rest on but counters. The same object as long as none of it changes. */
export interface Era {
  readonly number: number;
  readonly objects: readonly unknown[];
  readonly rules: string;
  readonly links: ReadonlyMap<string, string>;
}

/** What is around containers at one moment, by what names it. */
export interface Surroundings {
  /** Those that were asked for already. */
  bases: Map<Container, Basis>;
  owns: Map<Container, Own>;
  common: string;
  rules: KeyedRules;
  /** Listeners of the host by port. */
  listeners: ReadonlyMap<number, string>;
  /** Host ends of a container's links. */
  links: ReadonlyMap<string, string>;
  /** Where rules translate to, by the same keys; under '' those that are nobody's in particular. */
  translations: ReadonlyMap<string, readonly RuleTarget[]>;
  era: Era;
}

/** Those who judge and those who show look at the same moment, and mostly nothing has changed since the one before. */
let newest: { moment: Omit<Moment, 'now'>; rests: readonly unknown[]; surroundings: Surroundings } | undefined;

/** What is around containers now; made once for each moment at which something of it is not as before. */
export function surroundingsOf(moment: Moment): Surroundings {
  const { readings, facts } = moment;
  if (newest?.moment.readings === readings && newest.moment.facts === facts) return newest.surroundings;
  const rests = restsOf(moment);
  const isSame = newest !== undefined && haveSameItems(newest.rests, rests);
  const surroundings = newest && isSame ? newest.surroundings : survey(moment, newest?.surroundings.era);
  newest = { moment: { readings, facts }, rests, surroundings };
  return surroundings;
}

/** What verdicts rest on but rules and settings, as objects that stay the same ones as long as they say the same. */
function objectsOf({ readings, facts }: Moment): unknown[] {
  const { links, docker } = readings;
  return [
    docker.value?.containers,
    docker.value?.networks,
    links.value?.links,
    links.value?.routes,
    facts.containers,
    facts.networks,
    facts.links,
    facts.listeners,
    facts.interfaces,
    ...Object.values(readings.inside).map(({ value }) => value),
  ];
}

/** All that `survey` looks at. */
function restsOf(moment: Moment): unknown[] {
  const { netfilter, links, kernel, docker } = moment.readings;
  return [
    netfilter.value,
    netfilter.state,
    netfilter.reason,
    links.value?.rules,
    links.state,
    settingsOf(kernel.value),
    kernel.state,
    docker.value?.engine,
    ...objectsOf(moment),
  ];
}

const sameTexts = <K>(a: ReadonlyMap<K, string>, b: ReadonlyMap<K, string>): boolean =>
  a.size === b.size && [...a].every(([key, text]) => b.get(key) === text);

function eraOf(before: Era | undefined, now: Omit<Era, 'number'>): Era {
  const isSame =
    before?.objects.length === now.objects.length &&
    before.objects.every((item, place) => Object.is(item, now.objects[place])) &&
    before.rules === now.rules &&
    sameTexts(before.links, now.links);
  return isSame && before ? before : { ...now, number: (before?.number ?? 0) + 1 };
}

/** nft prints what a rule has counted in its text. */
const counter = /counter packets \d+ bytes \d+/;

/** Lists of words by a key. */
class Lists<K> {
  readonly texts = new Map<K, string>();

  add(key: K, text: string): void {
    this.texts.set(key, `${this.texts.get(key) ?? ''}\n${text}`);
  }
}

/** The addresses that Docker gave a container. */
export const addressesOf = ({ endpoints }: Container): string[] =>
  endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter(address => address !== undefined));

/** All that names a container's addresses and ports. */
interface Own {
  /** One text; the very same one as before while it says the same, so that it is quickly compared and there is one of it. */
  text: string;
  /** By what it asked for rules. */
  keys: ReadonlySet<string>;
}

const ownTexts = new WeakMap<Container, string>();

/** All that names a container's addresses and ports; put together once for each moment, since a container may publish a thousand ports. */
export function ownOf(container: Container, surroundings: Surroundings): Own {
  const { rules, listeners, links, owns } = surroundings;
  const known = owns.get(container);
  if (known) return known;
  const parts = [links.get(container.id) ?? ''];
  const keys = new Set(addressesOf(container));
  for (const { hostPort, containerPort, proto } of container.publishedPorts) {
    parts.push(listeners.get(hostPort) ?? '', proto);
    keys.add(`${hostPort}`).add(`${containerPort}`);
  }
  // A port that is not published is asked for as well, by its own number.
  for (const { port } of container.listeners ?? []) keys.add(`${port}`);
  parts.push(rules.textOf(keys));
  const before = ownTexts.get(container);
  const made = parts.join('\u0000');
  const text = made === before ? before : made;
  ownTexts.set(container, text);
  const own = { text, keys };
  owns.set(container, own);
  return own;
}

const spans = new Map<string, Span | undefined>();
const mostSpans = 16_384;

/** `parseAddress` for what is asked again with every reading of the rules. */
function spanOf(text: string): Span | undefined {
  if (spans.has(text)) return spans.get(text);
  if (spans.size >= mostSpans) spans.clear();
  const span = parseAddress(text);
  spans.set(text, span);
  return span;
}

/**
 * Tells the addresses that can only be a container's: those that one has, and, since rules come and go at another moment than
 * what Docker says of a container, all others in the networks of containers but this host's own. In the subnet of a LAN, which
 * macvlan and ipvlan containers share, any address may be that of somebody who asks.
 */
function containerAddresses({ facts, readings }: Moment): (text: string) => boolean {
  const taken = new Set(facts.containers.flatMap(addressesOf));
  const hosts = new Set(
    readings.links.value?.links.flatMap(({ addresses }) => addresses.map(({ address }) => address)),
  );
  const subnets = facts.networks.flatMap(network =>
    network.subnets.flatMap(({ subnet }) => {
      const [text = '', length] = subnet.split('/');
      return subnetOf({ address: text, prefixLength: Number(length) }) ?? [];
    }),
  );
  const leading = lanInterfaces(facts);
  const names = new Set(leading.map(({ name }) => name));
  const routes = readings.links.value?.routes.filter(({ device }) => device !== undefined && names.has(device)) ?? [];
  // Those who ask may be known by routes alone (`anyNeighbour`): as a gateway, or where a route has none.
  const named = routes.flatMap(({ destination, gateway }) => gateway ?? (destination === 'default' ? [] : destination));
  const lans = [
    ...leading.flatMap(each => each.addresses.flatMap(own => subnetOf(own) ?? [])),
    ...named.flatMap(text => parseSpan(text) ?? []),
  ];
  return text => {
    const span = hosts.has(text) ? undefined : spanOf(text);
    if (!span || lans.some(lan => covers(lan, span))) return false;
    return taken.has(text) || subnets.some(subnet => covers(subnet, span));
  };
}

let last = '';

/** The text itself, or an equal one of before: the same object is quickly compared two hundred times. */
const oneOf = (text: string): string => (last = text === last ? last : text);

const ipsetTexts = new WeakMap<object, string>();

/** Sets may be long, and are the same object as long as the rules are. */
function ipsetsOf(netfilter: NetfilterReading | undefined): string {
  const { ipsets } = netfilter ?? {};
  if (!ipsets) return '';
  const text = ipsetTexts.get(ipsets) ?? JSON.stringify(ipsets);
  ipsetTexts.set(ipsets, text);
  return text;
}

const translating: ReadonlySet<RuleTarget['kind']> = new Set(['dnat', 'natmap', 'netmap', 'redirect']);

function survey(context: Moment, era: Era | undefined): Surroundings {
  const { readings, facts } = context;
  const isContainers = containerAddresses(context);
  const common: string[] = [];
  const rules = new KeyedRules();
  const translations = new Map<string, RuleTarget[]>();
  const { netfilter, kernel, links, docker } = readings;
  for (const chain of netfilter.value?.chains ?? []) {
    const { backend, family, table, name, hook, type, priority, policy } = chain;
    const title = `${backend} ${family} ${table} ${name}`;
    common.push(`${title} ${hook} ${type} ${priority} ${policy}`);
    // How many of the common rules stand before one tells where it acts.
    let place = 0;
    for (const rule of chain.rules) {
      const key = keyOf(rule, isContainers);
      const text = backend === 'nft' ? rule.text.replace(counter, '') : rule.text;
      for (const target of [rule.target, ...(rule.effects ?? [])]) {
        if (translating.has(target.kind)) translations.set(key ?? '', [...(translations.get(key ?? '') ?? []), target]);
      }
      if (key === undefined) {
        common.push(text);
        place += 1;
      } else rules.add(key, `${title} ${place} ${text}`, rule);
    }
  }
  const { value: kernelValue } = kernel;
  const linkValue = links.value;
  const isPort = new Set<string>();
  const owners = new Map(facts.links.map(link => [link.veth, link.containerId]));
  const ends = new Lists<string>();
  for (const link of linkValue?.links ?? []) {
    const { name, kind, up, addresses: own, nfCall, master, bridgePort } = link;
    // One that is on no bridge and has no address is on its way to one.
    if (kind === 'veth' && (master !== undefined || own.every(({ scope }) => scope === 'link'))) {
      isPort.add(name);
      const containerId = owners.get(name);
      if (containerId !== undefined) ends.add(containerId, `${name} ${up} ${master} ${JSON.stringify(bridgePort)}`);
    } else {
      // A bridge of Docker's gets its carrier with its first container, which shows as that container's.
      const isSilent = kind !== 'bridge' && !hasCarrier(link);
      common.push(JSON.stringify([name, kind, up, own, nfCall, master, isSilent, kernelValue?.interfaces[name]]));
    }
  }
  const settings = { ...kernelValue, interfaces: undefined, conntrackCount: undefined };
  const routes = linkValue?.routes.filter(({ device }) => device === undefined || !isPort.has(device));
  const networks = docker.value?.networks.map(({ id, driver, options }) => [id, driver, options]);
  common.push(
    JSON.stringify([
      settings,
      routes,
      linkValue?.rules,
      networks,
      netfilter.value?.sets,
      ipsetsOf(netfilter.value),
      docker.value?.engine,
      lanInterfaces(facts).map(({ name }) => name),
    ]),
    `${netfilter.state} ${netfilter.reason} ${links.state} ${kernel.state}`,
  );
  const listeners = new Lists<number>();
  for (const { port, proto, address, v6only, device, owner, target } of facts.listeners ?? []) {
    listeners.add(port, JSON.stringify([proto, address, v6only, device, owner, target]));
  }
  const all = oneOf(common.join('\n'));
  return {
    bases: new Map(),
    owns: new Map(),
    common: all,
    rules,
    listeners: listeners.texts,
    links: ends.texts,
    translations,
    era: eraOf(era, { objects: [all, ...objectsOf(context)], rules: rules.whole(), links: ends.texts }),
  };
}
