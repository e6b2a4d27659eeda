/** For tests of port changes: a container with an ephemeral port, and a ledger that is shown readings one after the other. */
import type { DockerEvent } from '../../source/host/host.ts';
import type { ContainerReading, PortBindingReading } from '../../source/host/readings.ts';
import { emptyLedger, trackPorts, type Ledger, type PortHints } from '../../source/facts/port-changes.ts';
import type { PortChange } from '../../source/facts/schema.ts';
import { container, docker, now, port } from './build.ts';

/** Both sides of an ephemeral port as Docker lists them. */
export const both = (v4: number, v6 = v4, containerPort = 80): PortBindingReading[] => [
  port(String(v4), containerPort, { hostIp: '0.0.0.0' }),
  port(String(v6), containerPort, { hostIp: '::' }),
];
export const myapp2 = (publishedPorts: PortBindingReading[], rest: Partial<ContainerReading> = {}) =>
  container('myapp2', { requestedPorts: [port('', 80)], publishedPorts, inspectedAt: now, ...rest });
export const event = (action: string, at: number, id: string): DockerEvent => ({
  type: 'container',
  action,
  id,
  at,
  attributes: {},
});

/** A ledger with readings passed to it one after the other. */
export class Tracker {
  ledger: Ledger;
  hints: PortHints = { events: new Map(), daemonRestarts: [], following: false };

  constructor(ledger = emptyLedger) {
    this.ledger = ledger;
  }

  see(containers: ContainerReading[], at = now + 60_000): PortChange[] {
    const step = trackPorts(this.ledger, docker({ containers }), this.hints, at);
    this.ledger = step.ledger;
    return step.changes;
  }

  tell(id: string, ...events: [string, number][]): void {
    const known = this.hints.events.get(id) ?? [];
    const told = [...known, ...events.map(([action, at]) => event(action, at, id))];
    this.hints = { ...this.hints, events: new Map([...this.hints.events, [id, told]]) };
  }
}

export const short = ({ proto, containerPort, from, to, cause }: PortChange) =>
  `${containerPort}/${proto} ${from.map(side => side.hostPort).join('+')}→${to.map(side => side.hostPort).join('+')} ${cause}`;
