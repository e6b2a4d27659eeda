/** Two snapshots of one host, compared in everything that does not move by itself. */
import type { Listener, Snapshot } from '../../source/facts/schema.ts';

/**
 * Counters move by themselves; the processes of a container are read only while it is looked at; and why a field is not
 * known is told in other words at a first look than at a later one.
 */
const passedOver = new Set(['unknown', 'processes', 'packets', 'bytes']);

/** With the keys of every object in order, whichever was known first. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (key, part: unknown) => {
    if (passedOver.has(key)) return undefined;
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

const linesOf = (values: readonly unknown[]): string[] => values.map(textOf).sort();

const listenersOf = (listeners: readonly Listener[] | null): string[] | null => listeners && linesOf(listeners);

/** Everything that a snapshot states, as lines by kind; ages, rates and history left out. */
function statements(snapshot: Snapshot): Record<string, string[]> {
  const { containers, networks, links, listeners, rules, findings, interfaces, host, sources } = snapshot;
  return {
    containers: linesOf(
      containers.map(one => ({
        ...one,
        // Which process holds a socket inside a container is found out, too, only while it is looked at.
        listeners: listenersOf(one.listeners && one.listeners.map(socket => ({ ...socket, pid: null, process: null }))),
      })),
    ),
    networks: linesOf(networks.map(one => ({ ...one, members: linesOf(one.members) }))),
    links: linesOf(links),
    interfaces: linesOf(interfaces),
    listeners: listenersOf(listeners) ?? ['unknown'],
    rules: rules?.map(textOf) ?? ['unknown'],
    // A port that moved is told by who saw it move.
    findings: linesOf(findings.filter(({ code }) => code !== 'port-moved').map(({ id, message }) => [id, message])),
    sources: linesOf(Object.entries(sources).map(([name, { state, reason }]) => [name, state, reason])),
    host: linesOf([host.docker, host.ipForward, host.forwardPolicy, host.firewallBackend]),
  };
}

/**
 * @param kept what a program that has been running for long shows
 * @param fresh what one that was just started shows
 * @returns one line for each statement that only one of them makes; empty when they agree
 */
export function differences(kept: Snapshot, fresh: Snapshot): string[] {
  const [left, right] = [statements(kept), statements(fresh)];
  return Object.keys(left).flatMap(kind => {
    const [ours, theirs] = [new Set(left[kind]), new Set(right[kind])];
    return [
      ...[...ours].filter(text => !theirs.has(text)).map(text => `only kept, ${kind}: ${text}`),
      ...[...theirs].filter(text => !ours.has(text)).map(text => `only fresh, ${kind}: ${text}`),
    ];
  });
}
