/** What happened between two snapshots, as the Events pane, `watch` and a container's history tell it. */
import { containerEvents, networkHeard, nothingHeard, type Heard } from './container-events.ts';
import { keepListeners, listenerEvents, type KnownListeners } from './listener-events.ts';
import type { Finding, NetdashEvent, PortChange, Snapshot } from './schema.ts';

/** What is told of a finding that is raised. */
export const raisedText = ({ code, message }: Finding): string => `${code}: ${message}`;

const changeKey = (change: PortChange): string =>
  [
    change.at,
    change.containerId,
    change.proto,
    change.containerPort,
    sidesText(change.from),
    sidesText(change.to),
  ].join(' ');

const sidesText = (sides: PortChange['from']): string =>
  sides.map(({ hostIp, hostPort }) => `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:${hostPort}`).join(' ');

/** The number alone where all sides have one, else every side. */
function shortSides(sides: PortChange['from']): string {
  const ports = new Set(sides.map(({ hostPort }) => hostPort));
  return ports.size === 1 ? String([...ports][0]) : sidesText(sides);
}

function portEvents(before: Snapshot, after: Snapshot): NetdashEvent[] {
  if (before.portChanges === after.portChanges) return [];
  const kept = new Set(before.portChanges);
  const others = after.portChanges.filter(change => !kept.has(change));
  const moments = new Set(others.map(({ at }) => at));
  const known = new Set(before.portChanges.filter(({ at }) => moments.has(at)).map(changeKey));
  return others
    .filter(change => !known.has(changeKey(change)))
    .map(change => ({
      at: change.at,
      type: 'port-changed',
      text: `${change.containerName} ${change.containerPort}/${change.proto}: ${shortSides(change.from)} → ${shortSides(change.to)} (${change.cause})`,
      containerId: change.containerId,
      containerName: change.containerName,
      severity: 'info',
      portChange: change,
    }));
}

function findingEvents(before: Snapshot, after: Snapshot): NetdashEvent[] {
  if (before.findings === after.findings) return [];
  const had = new Set(before.findings.map(({ id }) => id));
  const has = new Set(after.findings.map(({ id }) => id));
  const isGone = ({ subject }: Finding) =>
    subject.kind === 'container' && !after.containers.some(({ id }) => id === subject.id);
  const event = (finding: Finding, type: 'finding-raised' | 'finding-cleared', text: string): NetdashEvent => ({
    at: after.takenAt,
    type,
    text,
    ...containerOf(finding, after),
    severity: finding.severity,
    finding,
  });
  // What ends first: of a container made anew, the same is found in the same words, and the last line is what stands.
  return [
    ...before.findings
      .filter(({ id }) => !has.has(id))
      .map(finding =>
        event(
          finding,
          'finding-cleared',
          `no longer ${finding.code}: ${finding.subject.name}${isGone(finding) ? ' (removed)' : ''}`,
        ),
      ),
    ...after.findings
      .filter(({ id }) => !had.has(id))
      .map(finding => event(finding, 'finding-raised', raisedText(finding))),
  ];
}

function containerOf(
  { containerIds, subject }: Finding,
  { containers }: Snapshot,
): Pick<NetdashEvent, 'containerId' | 'containerName'> {
  const [containerId] = containerIds;
  if (containerId === undefined) return {};
  // One that is gone has only the name that it was found under.
  const named = subject.kind === 'container' && subject.id === containerId ? subject : undefined;
  const name = (containers.find(({ id }) => id === containerId) ?? named)?.name;
  return name === undefined ? { containerId } : { containerId, containerName: name };
}

function sourceEvents(before: Snapshot, after: Snapshot): NetdashEvent[] {
  return Object.entries(after.sources).flatMap(([name, source]): NetdashEvent[] => {
    const was = before.sources[name];
    if (was === undefined || (was.state === 'failed') === (source.state === 'failed')) return [];
    const failed = source.state === 'failed';
    return [
      {
        at: after.takenAt,
        type: failed ? 'source-failed' : 'source-recovered',
        text: failed ? `${name} cannot be read: ${source.reason ?? 'no reason given'}` : `${name} can be read again`,
        severity: failed ? 'warning' : 'info',
      },
    ];
  });
}

/** Counts what is in one list of texts and not in the other, a text that occurs twice being two. */
function countDifference(before: readonly string[], after: readonly string[]): { added: string[]; removed: string[] } {
  const left = new Map<string, number>();
  for (const text of before) left.set(text, (left.get(text) ?? 0) + 1);
  const added: string[] = [];
  for (const text of after) {
    const count = left.get(text) ?? 0;
    if (count > 0) left.set(text, count - 1);
    else added.push(text);
  }
  return { added, removed: [...left].flatMap(([text, count]) => Array.from({ length: count }, () => text)) };
}

const countText = (added: number, removed: number): string =>
  [added > 0 ? `${added} added` : '', removed > 0 ? `${removed} removed` : ''].filter(text => text !== '').join(', ');

/** `DOCKER, FORWARD and 3 more`. */
function namesText(names: readonly string[], most = 3): string {
  const distinct = [...new Set(names)];
  const shown = distinct.slice(0, most).join(', ');
  return distinct.length > most ? `${shown} and ${distinct.length - most} more` : shown;
}

type Rules = NonNullable<Snapshot['rules']>;

/** Whether two rows say the same of a rule: counters and positions change all the time. */
const isSameRule = (a: Rules[number] | undefined, b: Rules[number]): boolean =>
  a === b ||
  (a?.text === b.text &&
    a.chain === b.chain &&
    a.table === b.table &&
    a.family === b.family &&
    a.backend === b.backend);

const ruleKeys = (rules: Rules) =>
  rules.map(({ backend, family, table, chain, text }) => [backend, family, table, chain, text].join('\0'));

/** How many items in a row may have gone for those after them still to be paired. */
const window = 8;

/** The items of both lists without those of which the other has one that is the same at about the same place. */
function unpaired<T>(
  before: readonly T[],
  after: readonly T[],
  isSame: (a: T | undefined, b: T) => boolean,
): { had: T[]; has: T[] } {
  const [had, has]: [T[], T[]] = [[], []];
  let at = 0;
  for (const item of after) {
    const end = Math.min(before.length, at + window);
    let found = at;
    while (found < end && !isSame(before[found], item)) found++;
    if (found === end) has.push(item);
    else {
      while (at < found) had.push(before[at++]!);
      at = found + 1;
    }
  }
  had.push(...before.slice(at));
  return { had, has };
}

function ruleEvents(before: Snapshot, after: Snapshot): NetdashEvent[] {
  if (before.rules === after.rules || before.rules === null || after.rules === null) return [];
  const { had, has } = unpaired(before.rules, after.rules, isSameRule);
  const { added, removed } = countDifference(ruleKeys(had), ruleKeys(has));
  if (added.length + removed.length === 0) return [];
  const chains = [...added, ...removed].map(key => key.split('\0')[3] ?? '');
  const text = `netfilter rules: ${countText(added.length, removed.length)} (${namesText(chains)})`;
  return [{ at: after.takenAt, type: 'rules-changed', text }];
}

const isVery = <T>(a: T | undefined, b: T): boolean => a === b;

/** The names of the links and interfaces of which the two snapshots may say different things. */
function namesOfChanged(before: Snapshot, after: Snapshot): Set<string> {
  const links = unpaired(before.links, after.links, isVery);
  const interfaces = unpaired(before.interfaces, after.interfaces, isVery);
  return new Set([
    ...[...links.had, ...links.has].map(({ veth }) => veth),
    ...[...interfaces.had, ...interfaces.has].map(({ name }) => name),
  ]);
}

/** What is told of the links and interfaces of these names in a snapshot: a veth that is no container's yet is among both. */
function linkTexts({ links, interfaces }: Snapshot, names: ReadonlySet<string>): Map<string, string> {
  const bridges = new Map<string, string | undefined>();
  const up = new Map<string, boolean>();
  for (const { veth, bridge } of links) if (names.has(veth)) bridges.set(veth, bridge);
  for (const each of interfaces) if (names.has(each.name)) up.set(each.name, each.up && up.get(each.name) !== false);
  const textOf = (name: string): string => {
    const bridge = bridges.get(name);
    return `${name}${bridge === undefined ? '' : ` on ${bridge}`}${up.get(name) === false ? ' (down)' : ''}`;
  };
  return new Map([...bridges.keys(), ...up.keys()].map(name => [name, textOf(name)]));
}

function linkEvents(before: Snapshot, after: Snapshot): NetdashEvent[] {
  if (before.links === after.links && before.interfaces === after.interfaces) return [];
  const names = namesOfChanged(before, after);
  const [had, has] = [linkTexts(before, names), linkTexts(after, names)];
  const textsOf = (all: typeof had, fits: (name: string, text: string) => boolean) =>
    [...all].flatMap(([name, text]) => (fits(name, text) ? [text] : []));
  const parts = [
    ['+', textsOf(has, name => !had.has(name))],
    ['-', textsOf(had, name => !has.has(name))],
    ['now', textsOf(has, (name, text) => (had.get(name) ?? text) !== text)],
  ] as const;
  const told = parts.flatMap(([sign, texts]) => (texts.length > 0 ? [`${sign} ${namesText(texts)}`] : []));
  if (told.length === 0) return [];
  return [{ at: after.takenAt, type: 'links-changed', text: `links: ${told.join('; ')}` }];
}

function networkEvents(before: Snapshot, after: Snapshot, heard: Heard = nothingHeard): NetdashEvent[] {
  if (before.networks === after.networks) return [];
  const had = new Map(before.networks.map(network => [network.id, network]));
  const has = new Map(after.networks.map(network => [network.id, network]));
  const event = (type: 'network-created' | 'network-removed', id: string, text: string): NetdashEvent => ({
    at: networkHeard(id, type === 'network-created' ? 'create' : 'destroy', heard) ?? after.takenAt,
    type,
    text,
  });
  return [
    ...after.networks
      .filter(({ id }) => !had.has(id))
      .map(({ id, name, driver }) => event('network-created', id, `network ${name} (${driver}) created`)),
    ...before.networks
      .filter(({ id }) => !has.has(id))
      .map(({ id, name }) => event('network-removed', id, `network ${name} removed`)),
  ];
}

function changesOfListeners(
  before: Snapshot,
  after: Snapshot,
  known?: { before: KnownListeners; after: KnownListeners },
): NetdashEvent[] {
  if (known) return listenerEvents(known.before, known.after, after.takenAt);
  if (before.listeners === after.listeners || before.listeners === null || after.listeners === null) return [];
  return listenerEvents(
    keepListeners(undefined, before.listeners, 0),
    keepListeners(undefined, after.listeners, 0),
    after.takenAt,
  );
}

/** Whether a source's part of both snapshots is from a reading, so that a difference is a change and not a loss. */
function isRead(name: string, before: Snapshot, after: Snapshot): boolean {
  const wasRead = before.sources[name]?.ageMs ?? null;
  return wasRead !== null && after.sources[name] !== undefined && after.sources[name].state !== 'failed';
}

/**
 * Everything that changed from one snapshot to the next, oldest first. A source that was not read on both sides tells nothing,
 * so that its return is not a host coming into being.
 * @param before undefined for the first snapshot, which gives no events
 * @param known the listeners that were known with each of the two; by default just those that they have
 * @param heard what Docker told of when things happened to containers and networks, and of what passed between the two
 */
export function diffEvents(
  before: Snapshot | undefined,
  after: Snapshot,
  known?: { before: KnownListeners; after: KnownListeners },
  heard?: Heard,
): NetdashEvent[] {
  if (before === undefined || before === after) return [];
  const docker = isRead('docker', before, after);
  const events = [
    ...sourceEvents(before, after),
    ...(docker
      ? [...containerEvents(before, after, heard), ...networkEvents(before, after, heard), ...(heard?.passed ?? [])]
      : []),
    ...portEvents(before, after),
    ...(isRead('sockets', before, after) ? changesOfListeners(before, after, known) : []),
    ...(isRead('links', before, after) ? linkEvents(before, after) : []),
    ...(isRead('netfilter', before, after) ? ruleEvents(before, after) : []),
    ...findingEvents(before, after),
  ];
  return events.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}
