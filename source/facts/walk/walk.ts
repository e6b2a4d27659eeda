/**
 * The packet walk: whether a byte that is sent from a vantage to an address of this host or its containers is answered,
 * followed through the readings as the kernel would take the packets. Pure: nothing is sent.
 */
import type { Proto } from '../../host/readings.ts';
import type { Listener } from '../schema.ts';
import { isLoopback, isMulticast, parseAddress, placeText, sameSpan, spanText, type Span } from './address.ts';
import { explore, type Chooser } from './chooser.ts';
import { clientFrom, hostClient, type Client } from './client.ts';
import { Journey, type Arrival, type Place } from './journey.ts';
import { elsewhereText, findListener, isForAny, metByAny, publishedFor, type Goal } from './listeners.ts';
import type { Note } from './hooks.ts';
import { pidIn, type Node } from './nodes.ts';
import { answerTo, connection, fromClient, type Packet } from './packet.ts';
import { Stop, stop } from './stop.ts';
import type { Hop, Question, Vantage, Verdict } from './verdict.ts';
import { goesPast } from './way.ts';
import type { World } from './world.ts';

export { makeWorld, type World } from './world.ts';
export type { DecidedBy, Hop, Question, Vantage, Verdict, VerdictWord } from './verdict.ts';

/** Answers one question. Never throws. */
export function walk(world: World, { from, to }: Question): Verdict {
  const destination = parseAddress(to.address);
  if (!destination) return unknown(`${to.address} is no address`);
  if (world.apart !== undefined) return unknown(world.apart);
  const group = groupReason(world, from, destination);
  if (group !== undefined) return unknown(group);
  if (to.proto === 'sctp') return unknown('listeners of SCTP are not read');
  return explore(chooser => {
    const exchange = new Exchange(world, chooser);
    const stopped = exchange.run(from, destination, to.port, to.proto);
    if (!stopped) return { verdict: 'reachable', path: exchange.path };
    const { verdict, decidedBy, hop } = stopped;
    return { verdict, decidedBy, path: [...exchange.path, { hop, ok: false, detail: decidedBy.detail }] };
  });
}

const unknown = (detail: string): Verdict => ({
  verdict: 'unknown',
  decidedBy: { kind: 'route', detail },
  path: [{ hop: 'start', ok: false, detail }],
});

/** Why it cannot be told who gets what is sent to an address, where that is not for one host alone. */
function groupReason({ fib }: World, from: Vantage, destination: Span): string | undefined {
  const text = spanText(destination);
  if (isMulticast(destination)) return `${text} is a multicast address: netdash does not follow multicast`;
  // That nothing of 127.0.0.0/8 is taken from a LAN is known of its broadcast address too.
  if (from.kind === 'lan' && isLoopback(destination)) return undefined;
  return text === '255.255.255.255' || fib.localType(destination) === 'broadcast'
    ? `${text} is a broadcast address: netdash does not follow broadcasts`
    : undefined;
}

/** One exchange of data, docker-proxy's second connection included. */
class Exchange {
  readonly path: Hop[] = [];
  private readonly world: World;
  private readonly chooser: Chooser;
  /** Only the first packet's way is told; of the later ones only what stops them. */
  private quiet = false;

  constructor(world: World, chooser: Chooser) {
    this.world = world;
    this.chooser = chooser;
  }

  private readonly note: Note = hop => {
    if (!this.quiet) this.path.push(typeof hop === 'function' ? hop() : hop);
  };

  run(from: Vantage, destination: Span, port: number, proto: Proto): Stop | undefined {
    const client = clientFrom(this.world, from, destination, this.chooser);
    if (client instanceof Stop) return client;
    const stopped = this.connect(client, destination, port, proto);
    if (stopped || client.adrift === undefined) return stopped;
    return stop('unknown', 'start', 'route', client.adrift);
  }

  /** Sends a byte and takes the answer. */
  private connect(client: Client, destination: Span, port: number, proto: Proto): Stop | undefined {
    const { place, source } = client;
    const journey = new Journey(
      this.world,
      this.chooser,
      this.note,
      place.kind === 'outside' ? place.interface : undefined,
    );
    const own = place.kind === 'host' ? this.world.kernel.localPortRange : undefined;
    const ct = connection(source, destination, port, own);
    const arrival = journey.send(fromClient(ct, proto, 'syn'), place);
    if (arrival instanceof Stop) return arrival;
    const proxied = this.serve(arrival, proto, client);
    if (proxied instanceof Stop) return proxied;
    const wasQuiet = this.quiet;
    this.quiet = true;
    const later =
      this.answer(journey, arrival, client, proto === 'tcp' ? 'syn-ack' : 'answer') ??
      (proto === 'tcp' ? this.data(journey, arrival, client) : undefined);
    this.quiet = wasQuiet;
    if (later) return later;
    if (proxied) {
      const inner = hostClient(this.world, proxied.address);
      return inner instanceof Stop ? inner : this.connect(inner, proxied.address, proxied.port, proto);
    }
    // What the first packet's way does not say of rules, that of the answer does not either.
    if (this.path.some(({ unknown: isOpen }) => isOpen)) {
      const detail = 'the answer finds its way back, if rules that were not read let it';
      this.note({ hop: 'answer', ok: false, unknown: true, detail });
    } else this.note({ hop: 'answer', ok: true, detail: 'the answer finds its way back' });
    return undefined;
  }

  /** What follows the handshake: the client's data and the answer to it. */
  private data(journey: Journey, first: Arrival, client: Client): Stop | undefined {
    const sent = journey.send(fromClient(first.packet.ct, first.packet.proto, 'data'), client.place);
    if (sent instanceof Stop) return sent;
    return this.answer(journey, sent, client, 'answer');
  }

  /** Takes an answer back to the client. */
  private answer(journey: Journey, arrival: Arrival, client: Client, phase: 'syn-ack' | 'answer'): Stop | undefined {
    const back = journey.send(answerTo(arrival.packet, phase), arrival.at);
    if (back instanceof Stop) return onWayBack(back);
    if (!isSamePlace(back.at, client.place)) {
      return stop(
        'unknown',
        'answer',
        'route',
        `the answer goes elsewhere than where the question came from (${back.iif})`,
      );
    }
    const { ct, source, sourcePort } = back.packet;
    if (!sameSpan(source, ct.destination) || sourcePort[0] !== ct.port) {
      const past = arrival.at.kind === 'node' ? goesPast(arrival.at.node, back.packet) : undefined;
      if (past) return past;
      return stop(
        'blocked',
        'answer',
        'bridge',
        `the answer comes from ${placeText(source, sourcePort[0])}, which was not asked: it does not pass the host, where it would be translated back`,
      );
    }
    return undefined;
  }

  /** The socket at the goal: a stop when there is none, where docker-proxy leads when it is one. */
  private serve(arrival: Arrival, proto: Proto, client: Client): Stop | { address: Span; port: number } | undefined {
    const { at, packet } = arrival;
    if (at.kind === 'outside') return stop('unknown', 'route', 'route', 'it leaves this host');
    const iif = arrival.iif === 'lo' ? this.bearer(at, packet.destination) : arrival.iif;
    const goal: Goal = { address: packet.destination, port: packet.port[0], proto, iif };
    if (at.kind === 'node') return this.serveNode(at.node, goal, client);
    const { listeners } = this.world;
    if (!listeners) return stop('unknown', 'listener', 'listener', 'the listeners of the host were not read');
    const listener = this.pick(listeners, goal, client);
    if (listener instanceof Stop) return listener;
    this.note({
      hop: 'listener',
      ok: true,
      detail: `${placeText(goal.address, goal.port)} is ${holderText(listener)}`,
    });
    return this.mute(listener) ?? this.strayAnswer(listener, packet, client) ?? this.behind(listener, goal);
  }

  /** The interface of a netns that has an address: what is bound to it takes what its own netns sends there, though that goes by lo. */
  private bearer(at: Extract<Place, { kind: 'host' | 'node' }>, address: Span): string {
    if (at.kind === 'host') return this.world.fib.localDevice(address) ?? 'lo';
    const own = at.node.interfaces.find(({ addresses }) => addresses.some(each => sameSpan(each.address, address)));
    return own?.name ?? 'lo';
  }

  private pick(listeners: readonly Listener[], goal: Goal, client: Client, node?: Node): Listener | Stop {
    const who = node?.name ?? 'the host';
    const found = findListener(listeners, goal);
    if (found.sure) return found.sure;
    const { maybe } = found;
    const unsure = () => ({
      kind: 'listener' as const,
      detail: `whether [::]:${goal.port} of ${who} takes IPv4 is not known`,
    });
    if (maybe && this.chooser.choose(2, unsure) === 0) return maybe;
    const met = node ? [] : found.others.map(each => metByAny(each, this.world.interfaces));
    const unfollowed = met.find(each => each.by === 'unknown');
    if (unfollowed?.by === 'unknown' && client.place.kind !== 'host') {
      return stop(
        'unknown',
        'listener',
        'listener',
        `of what listens on port ${goal.port} of the host: ${unfollowed.why}`,
      );
    }
    const local =
      met.some(({ by }) => by === 'here') && met.every(({ by }) => by !== 'others') && !isLoopback(goal.address);
    // To the host itself it is not closed off: there is nobody at the address that it asks at.
    const word = local && client.place.kind !== 'host' ? 'local-only' : 'nothing-listening';
    return stop(
      word,
      'listener',
      'listener',
      elsewhereText(listeners, found, goal, who),
      node ? pidIn(node) : local ? publishedFor(found.others) : {},
    );
  }

  private serveNode(node: Node, goal: Goal, client: Client): Stop | undefined {
    const { listeners } = node;
    if (!listeners) return stop('unknown', node.name, 'listener', `${node.name}: ${node.listenersReason}`);
    const listener = this.pick(listeners, goal, client, node);
    if (listener instanceof Stop) return listener;
    const { containerId } = listener.owner;
    const paused = node.members.filter(({ id }) => this.world.isPaused(id));
    // A process of the host that has entered the netns, and what nobody in there has open, are not paused with the container.
    const isTheirs = containerId !== undefined || (listener.owner.kind !== 'process' && node.members.length > 1);
    const whose = paused.some(({ id }) => id === containerId) || (isTheirs && paused.length === node.members.length);
    if (whose)
      return stop(
        'nothing-listening',
        node.name,
        'listener',
        `${listener.owner.containerName ?? node.name} is paused`,
        pidIn(node),
      );
    if (paused.length > 0 && containerId === undefined && listener.owner.kind !== 'process') {
      return stop(
        'unknown',
        node.name,
        'listener',
        `which of the containers in this netns listens is not known, and ${paused[0]?.name} is paused`,
      );
    }
    this.note({ hop: node.name, ok: true, detail: `listens at ${placeText(goal.address, goal.port)}/${goal.proto}` });
    return undefined;
  }

  /** A socket that is bound to an interface has no way for its answers while that is down, even to the host itself (measured on 6.18). */
  private mute({ device }: Listener): Stop | undefined {
    if (device === undefined || device === 'lo' || this.world.links.get(device)?.up !== false) return undefined;
    const detail = `what listens is bound to ${device}: ${device} is down`;
    return onWayBack(stop('blocked', 'answer', 'route', detail, { off: device }));
  }

  /** UDP from a wildcard socket leaves with the address that the route prefers, unless the program asks for another. */
  private strayAnswer(listener: Listener, packet: Packet, client: Client): Stop | undefined {
    const { address, proto } = listener;
    if (proto !== 'udp' || !isForAny(listener) || client.source.from !== client.source.to) return undefined;
    const own = hostClient(this.world, packet.source);
    if (own instanceof Stop || sameSpan(own.source, packet.destination)) return undefined;
    const detail = `a UDP socket on ${address} answers from ${spanText(own.source)} unless its program takes care`;
    return this.chooser.choose(2, () => ({ kind: 'listener', detail })) === 0
      ? undefined
      : stop('blocked', 'answer', 'listener', detail);
  }

  /** Whether there is somebody behind a listener of the host. */
  private behind(listener: Listener, goal: Goal): Stop | { address: Span; port: number } | undefined {
    const { owner, target } = listener;
    const name = owner.containerName ?? 'the container';
    if (owner.containerId !== undefined && owner.via === 'own' && this.world.isPaused(owner.containerId)) {
      return stop('nothing-listening', 'listener', 'listener', `${name} is paused`);
    }
    if (owner.via === 'docker-proxy') {
      const address = target && parseAddress(target.address);
      if (!target || !address)
        return stop('unknown', 'docker-proxy', 'proxy', 'where the docker-proxy leads is not known');
      this.note({ hop: 'docker-proxy', ok: true, detail: `connects to ${placeText(address, target.port)}` });
      return { address, port: target.port };
    }
    if (owner.kind === 'container' && owner.via === 'dockerd') {
      return stop(
        'nothing-listening',
        'listener',
        'proxy',
        `dockerd only holds port ${goal.port} for ${name}: without docker-proxy nobody answers there, only DNAT leads on`,
      );
    }
    if (owner.kind === 'docker' && owner.via === 'dockerd' && !this.world.isDockerRead) {
      return stop(
        'unknown',
        'listener',
        'proxy',
        `for whom dockerd holds port ${goal.port} is not known: ${owner.reason}`,
      );
    }
    if (owner.kind === 'container' && owner.via === undefined) {
      return stop(
        'unknown',
        'listener',
        'proxy',
        `whether a docker-proxy or dockerd holds port ${goal.port} is not known`,
      );
    }
    if (owner.service !== undefined) {
      return stop(
        'unknown',
        'listener',
        'proxy',
        `port ${goal.port} is the swarm service ${owner.service}'s: IPVS is not followed`,
      );
    }
    return undefined;
  }
}

/** Whose a listener of the host is: `docker-proxy for web`, `web1`, `sshd`. */
function holderText({ owner: { via, containerName }, process }: Listener): string {
  const holder = via === 'docker-proxy' || via === 'dockerd' ? via : undefined;
  if (holder !== undefined) return containerName === undefined ? holder : `${holder} for ${containerName}`;
  return containerName ?? process ?? 'a process';
}

const isSamePlace = (a: Place, b: Place): boolean =>
  a.kind === b.kind &&
  (a.kind !== 'node' || b.kind !== 'node' || a.node === b.node) &&
  (a.kind !== 'outside' || b.kind !== 'outside' || a.interface === b.interface);

/** The same stop, told as one of the answer: nobody listens is no reason on the way back. */
function onWayBack({ verdict, hop, decidedBy }: Stop): Stop {
  const word = verdict === 'nothing-listening' || verdict === 'local-only' ? 'blocked' : verdict;
  const end = word === 'unknown' ? 'whether the answer comes back is not known' : 'the answer is stopped';
  return new Stop(word, hop, { ...decidedBy, onAnswer: true, detail: `${end}: ${decidedBy.detail}` });
}
