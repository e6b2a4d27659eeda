/** From what an operator names (a port, an address, a container) to the questions that matter about it. */
import type { Proto } from '../../host/readings.ts';
import { hasCarrier } from '../carrier.ts';
import type { Container, Interface, Listener, Snapshot } from '../schema.ts';
import { boundAddress, isLinkLocal, isLoopback, isMulticast, parseAddress, spanText, subnetOf } from './address.ts';
import { isLost } from './lost-address.ts';
import type { Question, Vantage } from './verdict.ts';

/** What was named. */
export type Subject =
  /** A port of the host, whatever address it is on; without `proto`, TCP unless only UDP is there. */
  | { kind: 'port'; port: number; proto?: Proto }
  | { kind: 'address'; address: string; port: number; proto?: Proto }
  /** A container; without `port`, all that it publishes, or else that it exposes or listens on. */
  | { kind: 'container'; containerId: string; port?: number; proto?: Proto };

/** From where: `lan` without an interface is every interface that leads off this host. */
export type From = { kind: 'lan'; interface?: string } | Exclude<Vantage, { kind: 'lan' }>;

type Facts = Pick<Snapshot, 'containers' | 'listeners' | 'interfaces' | 'networks'>;

/**
 * Kinds of interfaces (ip-link(8)) on which no neighbour can be: what is sent by a dummy is thrown away, and by an ifb as well
 * but for what tc redirects there. Their addresses (of services, anycast) are met by way of other interfaces.
 */
export const lonelyKinds: ReadonlySet<string> = new Set(['loopback', 'dummy', 'ifb']);

/** Whether somebody off this host may be on an interface: it is up, with a carrier, and no bridge of a Docker network. */
export const mayHaveNeighbours = (each: Interface): boolean =>
  each.up &&
  hasCarrier(each) &&
  !lonelyKinds.has(each.kind) &&
  each.networkId === undefined &&
  each.name !== 'docker_gwbridge' &&
  each.master === undefined;

/** The interfaces that lead off this host: neighbours may be there, and an address tells which. */
export function lanInterfaces({ interfaces }: { interfaces: readonly Interface[] }): Interface[] {
  return interfaces.filter(each => mayHaveNeighbours(each) && each.addresses.some(({ address }) => isGlobal(address)));
}

/** Whether it is a link-local IPv6 address. */
export function isOnLink(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && isLinkLocal(address);
}

function isGlobal(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && !isLinkLocal(address) && !isLoopback(address);
}

/** The addresses of interfaces that are not theirs alone. */
const addressesOf = (interfaces: readonly Interface[]): string[] =>
  interfaces.flatMap(each => each.addresses.map(({ address }) => address).filter(isGlobal));

/** The link-local IPv6 addresses of an interface. */
const onLink = ({ addresses }: Snapshot['interfaces'][number]): string[] =>
  addresses.map(({ address }) => address).filter(isOnLink);

/** Those of them that places name: a link-local address is one of its interface alone (RFC 4291, 2.5.6). */
const onLinkAt = (of: Snapshot['interfaces'][number], places: readonly Place[]): string[] =>
  onLink(of).filter(own =>
    places.some(({ address, device }) => address === own && (device === undefined || device === of.name)),
  );

/** Addresses in the order to ask at: those that are alone in their prefix last, since of them it is less sure who is near. */
export const inAskingOrder = (addresses: Snapshot['interfaces'][number]['addresses']): typeof addresses => {
  const isAlone = ({ family, prefixLength }: (typeof addresses)[number]) => prefixLength === (family === 4 ? 32 : 128);
  return [...addresses].sort((a, b) => Number(isAlone(a)) - Number(isAlone(b)));
};

const isV6 = (address: string): boolean => address.includes(':');

/** Where a port of the host is open or published. */
interface Place {
  address: string;
  port: number;
  proto: Proto;
  /** Of a listener that is bound to an interface: its name. */
  device?: string;
}

/** All places on the host with that port: sockets, and what Docker has mapped. */
function placesOf(port: number, proto: Proto, { containers, listeners }: Facts): Place[] {
  const open = (listeners ?? []).filter(each => each.port === port && each.proto === proto);
  const mapped = containers.flatMap(({ publishedPorts }) =>
    publishedPorts
      .filter(each => each.hostPort === port && each.proto === proto)
      .map(({ hostIp }) => ({ address: hostIp })),
  );
  const listening = open.map(({ address, v6only, device }: Listener) => ({
    address: boundAddress(address),
    v6only,
    device,
  }));
  const places = [...listening, ...mapped].flatMap((each): Place[] => {
    const { address, v6only, device } = { v6only: true, device: undefined, ...each };
    const place = { address, port, proto, ...(device !== undefined && { device }) };
    // A :: socket of both families is a place for IPv4 as well.
    return address === '::' && !v6only ? [place, { ...place, address: '0.0.0.0' }] : [place];
  });
  return [...new Map(places.map(each => [`${each.address} ${each.device ?? ''}`, each])).values()];
}

const isWild = (address: string): boolean => address === '0.0.0.0' || address === '::';

/** Addresses of the host at which a vantage meets these places. */
function hostAddresses(places: readonly Place[], from: From, facts: Facts): { vantage: Vantage; address: string }[] {
  const specific = [...new Set(places.map(({ address }) => address))].filter(each => isGlobal(each) && !isWild(each));
  if (from.kind === 'loopback') {
    // What is bound to another interface than lo is met at an address of that one alone.
    const free = places.filter(({ device }) => device === undefined || device === 'lo');
    const bound = places.flatMap(place => (free.includes(place) ? [] : boundAt(place, facts.interfaces)));
    const wild = free.some(({ address }) => /^(0\.0\.0\.0|::|127\.|::1$)/.test(address));
    // A listener may be on any of 127.0.0.0/8, as systemd-resolved on 127.0.0.53.
    const others = places.map(({ address }) => address).filter(address => address.startsWith('127.'));
    const own = [...new Set(['127.0.0.1', '::1', ...others])];
    // Without its zone a link-local address is one place only while no other interface has it too (ipv6(7), sin6_scope_id).
    const near = facts.interfaces.flatMap(each => onLinkAt(each, places));
    const single = near.filter(address => facts.interfaces.filter(each => onLink(each).includes(address)).length === 1);
    const elsewhere = [...bound, ...specific, ...single];
    const found = wild || [...elsewhere, ...near].length === 0 ? orFirst(meeting(own, free), own) : [];
    return [...new Set([...found, ...elsewhere])].map(address => ({ vantage: from, address }));
  }
  const groups = groupsOf(places, facts.interfaces);
  const single = specific.filter(address => !groups.includes(address));
  const lost = single.filter(address => isLost(address, facts.interfaces));
  if (from.kind === 'lan') {
    const wanted = lanInterfaces(facts).filter(({ name }) => from.interface === undefined || name === from.interface);
    return wanted.flatMap(each => {
      const own = inAskingOrder(each.addresses)
        .map(({ address }) => address)
        .filter(isGlobal);
      const isHeard = (address: string) => own.some(mine => isV6(mine) === isV6(address));
      // A wildcard is met at a link-local address where there is no other of IPv6.
      const isBare = !own.some(isV6) && places.some(({ address }) => address === '::');
      const near = [...onLink(each).slice(0, isBare ? 1 : 0), ...onLinkAt(each, places)];
      const taken = meeting([...own, ...groupsOf(places, [each])], places);
      const met = [...new Set([...taken, ...near]), ...lost.filter(isHeard)];
      // An address of another interface is answered for by this one too (the weak host model of RFC 1122, 3.3.4.2).
      const asked = met.length > 0 ? met : orFirst(single.filter(isHeard), own);
      return asked.map(address => ({ vantage: { kind: 'lan' as const, interface: each.name }, address }));
    });
  }
  const family = from.kind === 'address' ? isV6(from.address) : undefined;
  const own = facts.interfaces.filter(({ kind }) => kind !== 'loopback');
  const candidates = addressesOf(
    own
      .filter(each => each.kind !== 'veth' || each.master === undefined)
      .filter(each => from.kind === 'address' || each.networkId === undefined),
  );
  // Containers get to what is on the bridge of a Docker network as well, where that is the one address of a place.
  const named = addressesOf(own).filter(address => specific.includes(address));
  const asked = [...meeting([...candidates, ...groupsOf(places, own)], places), ...named];
  return orFirst([...new Set([...lost, ...asked])], candidates)
    .filter(address => family === undefined || isV6(address) === family)
    .slice(0, 4)
    .map(address => ({ vantage: from, address }));
}

/** The addresses of its interface at which the host meets a wildcard that is bound to it. */
function boundAt({ address, device }: Place, interfaces: Snapshot['interfaces']): string[] {
  if (!isWild(address)) return [];
  const there = interfaces.find(({ name }) => name === device);
  const own = (there?.addresses ?? []).map(each => each.address).filter(each => isV6(each) === isV6(address));
  return [own.find(isGlobal)].filter(each => each !== undefined);
}

/** Of places, the addresses that are for many hosts: of a multicast group, or by which one of these interfaces broadcasts. */
function groupsOf(places: readonly Place[], interfaces: Snapshot['interfaces']): string[] {
  const broadcasts = interfaces.flatMap(({ addresses }) =>
    addresses.flatMap(each => {
      const subnet = each.family === 4 && each.prefixLength < 31 ? subnetOf(each) : undefined;
      return subnet ? [spanText({ ...subnet, from: subnet.to })] : [];
    }),
  );
  const isGroup = (text: string): boolean => {
    const address = parseAddress(text);
    return address !== undefined && (isMulticast(address) || text === '255.255.255.255' || broadcasts.includes(text));
  };
  return [...new Set(places.map(({ address }) => address).filter(isGroup))];
}

/** Of a list of own addresses, those that places name, or the first of each family that a wildcard takes. */
function meeting(own: readonly string[], places: readonly Place[]): string[] {
  const named = own.filter(address => places.some(place => place.address === address));
  const wild = (six: boolean) => places.some(place => place.address === (six ? '::' : '0.0.0.0'));
  const firsts = [
    ...(wild(false) ? [firstOf(own, false) ?? firstOf(own, true)] : []),
    ...(wild(true) ? [firstOf(own, true)] : []),
  ];
  return [...new Set([...firsts.filter(address => address !== undefined), ...named])];
}

const firstOf = (own: readonly string[], six: boolean): string | undefined => own.find(each => isV6(each) === six);

/** With nothing there at all, the question is still answered, for IPv4 if there is any. */
function orFirst(asked: string[], own: readonly string[]): string[] {
  const first = firstOf(own, false) ?? firstOf(own, true);
  return asked.length > 0 || first === undefined ? asked : [first];
}

/** The protocol of a bare port: UDP only where nothing but UDP is. */
function protoOf(port: number, proto: Proto | undefined, facts: Facts): Proto {
  if (proto !== undefined) return proto;
  return placesOf(port, 'tcp', facts).length === 0 && placesOf(port, 'udp', facts).length > 0 ? 'udp' : 'tcp';
}

/** The ports of a container: what it publishes, and what is only inside. */
function containerPorts(
  container: Container,
  { port, proto }: { port?: number; proto?: Proto },
): { published: Place[]; inside: { port: number; proto: Proto }[] } {
  const fits = (each: { port: number; proto: Proto }) =>
    (port === undefined || each.port === port) && (proto === undefined || each.proto === proto);
  const published = container.publishedPorts
    .filter(each => fits({ port: each.containerPort, proto: each.proto }))
    .map(({ hostIp, hostPort, proto: of }) => ({ address: hostIp, port: hostPort, proto: of }));
  const listeners = (container.listeners ?? [])
    .filter(({ embeddedDns, address }) => !embeddedDns && isOutside(address))
    .map(each => ({ port: each.port, proto: each.proto }));
  const known = [
    ...container.publishedPorts.map(each => ({ port: each.containerPort, proto: each.proto })),
    ...container.exposedPorts,
    ...listeners,
  ].filter(fits);
  const named = port === undefined ? [] : [{ port, proto: proto ?? 'tcp' }];
  const inside = new Map([...(known.length > 0 ? known : named)].map(each => [`${each.port}/${each.proto}`, each]));
  return { published, inside: [...inside.values()] };
}

const isOutside = (text: string): boolean => {
  const address = parseAddress(text);
  return address !== undefined && !isLoopback(address);
};

/** The questions about a subject. `from` undefined: from the host itself and from every LAN. */
export function questionsAbout(subject: Subject, from: From | undefined, facts: Facts): Question[] {
  const vantages: From[] = from ? [from] : [{ kind: 'loopback' }, { kind: 'lan' }];
  return vantages.flatMap(each => questionsFrom(subject, each, facts));
}

function questionsFrom(subject: Subject, from: From, facts: Facts): Question[] {
  if (subject.kind === 'address') return addressed(subject, from, facts);
  if (subject.kind === 'port') {
    const proto = protoOf(subject.port, subject.proto, facts);
    return hostQuestions(placesOf(subject.port, proto, facts), { port: subject.port, proto }, from, facts);
  }
  const container = facts.containers.find(({ id }) => id === subject.containerId);
  if (!container) return [];
  const { published, inside } = containerPorts(container, subject);
  if (container.networkMode === 'host') {
    const own = (container.listeners ?? []).filter(
      each =>
        (subject.port === undefined || each.port === subject.port) &&
        (subject.proto === undefined || each.proto === subject.proto),
    );
    const ports = own.length > 0 ? own : inside;
    const keys = new Map(ports.map(({ port, proto }) => [`${port}/${proto}`, { port, proto }]));
    return [...keys.values()].flatMap(key => hostQuestions(placesOf(key.port, key.proto, facts), key, from, facts));
  }
  // Another container asks for it by its own addresses, which is what isolation is about.
  if (from.kind !== 'container' && published.length > 0) {
    const keys = new Map(published.map(({ port, proto }) => [`${port}/${proto}`, { port, proto }]));
    return [...keys.values()].flatMap(key =>
      hostQuestions(
        published.filter(({ port, proto }) => port === key.port && proto === key.proto),
        key,
        from,
        facts,
      ),
    );
  }
  return directQuestions(container, inside, from, facts);
}

/** Questions to addresses of the host. */
function hostQuestions(
  places: readonly Place[],
  { port, proto }: { port: number; proto: Proto },
  from: From,
  facts: Facts,
): Question[] {
  return hostAddresses(places, from, facts).map(({ vantage, address }) => ({
    from: vantage,
    to: { address, port, proto },
  }));
}

/** Questions to the addresses of a container itself. */
function directQuestions(
  container: Container,
  ports: readonly { port: number; proto: Proto }[],
  from: From,
  facts: Facts,
): Question[] {
  const owner = container.sharesNetnsWith && facts.containers.find(({ id }) => id === container.sharesNetnsWith?.id);
  const endpoints = [...(owner ?? container).endpoints];
  const networks =
    from.kind === 'container'
      ? facts.containers.find(({ id }) => id === from.containerId)?.endpoints.map(({ network }) => network)
      : undefined;
  // A network that both are on comes first, since names resolve to its address.
  endpoints.sort(
    (a, b) => Number(networks?.includes(b.network) ?? false) - Number(networks?.includes(a.network) ?? false),
  );
  const addresses = endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter(address => address !== undefined));
  return addresses.flatMap(address =>
    ports.flatMap(({ port, proto }) =>
      vantagesFor(from, address, facts).map(vantage => ({ from: vantage, to: { address, port, proto } })),
    ),
  );
}

/** The vantages for one address: LAN interfaces that have a network of its family. */
function vantagesFor(from: From, address: string, facts: Facts): Vantage[] {
  if (from.kind === 'address') return isV6(from.address) === isV6(address) ? [from] : [];
  if (from.kind !== 'lan') return [from];
  return lanInterfaces(facts)
    .filter(({ name }) => from.interface === undefined || name === from.interface)
    .filter(each =>
      // Link-local groups are met wherever there is any address.
      each.addresses.some(
        own => isV6(own.address) === isV6(address) && (isGlobal(own.address) || address.startsWith('ff')),
      ),
    )
    .map(({ name }) => ({ kind: 'lan', interface: name }));
}

function addressed(subject: Extract<Subject, { kind: 'address' }>, from: From, facts: Facts): Question[] {
  const { address, port } = subject;
  const owner = facts.containers.find(({ endpoints }) =>
    endpoints.some(({ ipv4, ipv6 }) => ipv4 === address || ipv6 === address),
  );
  const inside = owner?.listeners ?? [];
  const isUdpOnly =
    inside.some(each => each.port === port && each.proto === 'udp') &&
    !inside.some(each => each.port === port && each.proto === 'tcp');
  const proto = subject.proto ?? (isUdpOnly ? 'udp' : protoOf(port, undefined, facts));
  return vantagesFor(from, address, facts).map(vantage => ({ from: vantage, to: { address, port, proto } }));
}
