/** What the host's own firewall, INPUT, says of a port, whether or not packets to it come that way. */
import type { Proto } from '../../host/readings.ts';
import { parseAddress } from './address.ts';
import { explore } from './chooser.ts';
import { HookWalk } from './hooks.ts';
import { anyNeighbour } from './lan-sources.ts';
import { connection, fromClient } from './packet.ts';
import { Stop } from './stop.ts';
import type { DecidedBy } from './verdict.ts';
import type { World } from './world.ts';

/** A port as a neighbour on an interface's network asks for it. */
export interface HostPort {
  /** The host's interface. */
  interface: string;
  /** One of the host's addresses on it. */
  address: string;
  port: number;
  proto: Proto;
}

/** Open, closed by a rule or policy, or not to be told. */
export type FirewallVerdict = { kind: 'open' } | { kind: 'closed'; by: DecidedBy } | { kind: 'unknown' };

/** How INPUT would take the first packet of somebody on that network, were a program of the host behind the port. Pure. */
export function inputVerdict(world: World, { interface: iif, address, port, proto }: HostPort): FirewallVerdict {
  const destination = parseAddress(address);
  if (!destination) return { kind: 'unknown' };
  const { before, after } = world.rules.hook(destination.family, 'input');
  const isBare = [...before, ...after].every(({ rules, reading }) => rules.length === 0 && reading.policy !== 'drop');
  if (isBare && world.rulesGap === undefined) return { kind: 'open' };
  const { verdict, decidedBy } = explore(chooser => {
    const source = anyNeighbour(world, iif, destination, chooser);
    if (source instanceof Stop) return { verdict: source.verdict, decidedBy: source.decidedBy, path: [] };
    const packet = fromClient(connection(source, destination, port), proto, 'syn');
    packet.iif = iif;
    packet.tracked = true;
    const stopped = new HookWalk(world, chooser, () => undefined).pass(packet, 'input');
    return stopped instanceof Stop
      ? { verdict: stopped.verdict, decidedBy: stopped.decidedBy, path: [] }
      : { verdict: 'reachable', path: [] };
  });
  if (verdict === 'reachable') return { kind: 'open' };
  return verdict === 'blocked' && decidedBy ? { kind: 'closed', by: decidedBy } : { kind: 'unknown' };
}
