/** The Path tab of a container: who reaches its ports, which containers reach it, and every way hop by hop. */
import type { Explained, Reachability } from '../../facts/reachability.ts';
import type { Container, Snapshot } from '../../facts/schema.ts';
import { glyphs } from '../../terminal/charset.ts';
import { widthOf } from '../../terminal/width.ts';
import { cell, type Line } from '../cell.ts';
import { isUp } from '../container-table.ts';
import { heading } from '../document.ts';
import { plural } from '../units.ts';
import { verdictLines, verdictSummary } from '../verdict-lines.ts';
import { neighbourLines } from './neighbours.ts';

/** The answers about one port, under its name. */
interface Group {
  title: string;
  answers: Explained[];
}

/** `8080→80/tcp` for a published port, else the container's own. */
function titleOf({ publishedPorts, routedPorts, networkMode }: Container, { question: { to } }: Explained): string {
  const name = `${to.port}/${to.proto}`;
  const published = publishedPorts.find(
    each => each.hostPort === to.port && each.proto === to.proto && isAt(each.hostIp, to.address),
  );
  if (published) return `${to.port}${glyphs.arrow}${published.containerPort}/${to.proto}`;
  const isRouted = routedPorts?.some(
    ({ proto, containerPort, hostIp }) =>
      proto === to.proto && containerPort === to.port && hostIp.includes(':') === to.address.includes(':'),
  );
  if (isRouted) return `${name} at its own address, where Docker publishes it (routed)`;
  return networkMode === 'host' ? name : `${name} at its own address, not published`;
}

/** Whether a port that is published on `hostIp` may be met at an address. */
function isAt(hostIp: string, address: string): boolean {
  if (hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::') return true;
  return hostIp === address || (hostIp.startsWith('127.') && address !== hostIp);
}

/** The published ports from this host and from every LAN, then those that only listen inside. */
function answersAbout(container: Container, reach: Reachability): Explained[] {
  const { id, publishedPorts, networkMode } = container;
  const told = reach.explain({ kind: 'container', containerId: id });
  if (publishedPorts.length === 0 || networkMode === 'host') return told;
  const isPublished = new Set(publishedPorts.map(each => `${each.containerPort}/${each.proto}`));
  const inside = new Map(
    (container.listeners ?? [])
      .filter(each => !each.embeddedDns && !isPublished.has(`${each.port}/${each.proto}`))
      .map(({ port, proto }) => [`${port}/${proto}`, { port, proto }]),
  );
  const own = container.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter(address => address !== undefined));
  return [
    ...told,
    ...[...inside.values()].flatMap(port =>
      own.flatMap(address => reach.explain({ kind: 'address', address, ...port })),
    ),
  ];
}

function grouped(container: Container, answers: readonly Explained[]): Group[] {
  const groups = new Map<string, Group>();
  for (const answer of answers) {
    const title = titleOf(container, answer);
    const group = groups.get(title) ?? { title, answers: [] };
    group.answers.push(answer);
    groups.set(title, group);
  }
  return [...groups.values()];
}

/** Why there is nothing to say. */
function nothingToAsk(container: Container): string {
  if (!isUp(container)) return `It does not run (${container.state}), so nobody is answered.`;
  if (container.networkMode === 'none') return 'It has no network: nobody reaches it, and it reaches nobody.';
  if (container.listeners === null)
    return `unknown: its listeners were not read (${container.unknown?.['listeners'] ?? 'no reason given'}), and it publishes and exposes nothing`;
  return 'It publishes, exposes and listens on nothing that others could ask for.';
}

/** What does not work is what one looks for. */
const closedFirst = (answers: readonly Explained[]): Explained[] => [
  ...answers.filter(({ verdict }) => verdict.verdict !== 'reachable'),
  ...answers.filter(({ verdict }) => verdict.verdict === 'reachable'),
];

function makeLines(snapshot: Snapshot, container: Container, reach: Reachability): Line[] {
  const answers = isUp(container) ? answersAbout(container, reach) : [];
  if (answers.length === 0) return [[cell(nothingToAsk(container), 'dim')]];
  const groups = grouped(container, answers);
  const summaries = new Map(answers.map(answer => [answer, verdictSummary(answer, snapshot)]));
  const widths = [0, 1, 2].map(column =>
    Math.max(...[...summaries.values()].map(line => widthOf(line[column]?.text ?? ''))),
  );
  const row = (answer: Explained): Line => [
    cell('  '),
    ...(summaries.get(answer) ?? []).map((part, column) =>
      cell(part.text.padEnd(part.text.length + (widths[column] ?? 0) - widthOf(part.text) + 2), part.tone),
    ),
  ];
  const open = answers.filter(({ verdict }) => verdict.verdict === 'reachable').length;
  return [
    ...heading(`Who reaches it (${open} of ${plural(answers.length, 'way')} open)`, true),
    ...groups.flatMap((group): Line[] => [[cell(group.title, 'accent')], ...group.answers.map(row)]),
    ...neighbourLines(snapshot, container, reach),
    ...heading('Hop by hop'),
    ...closedFirst(groups.flatMap(group => group.answers)).flatMap((answer, index) => [
      ...(index === 0 ? [] : [[]]),
      ...verdictLines(answer, snapshot),
    ]),
  ];
}

const made = new WeakMap<Reachability, Map<string, Line[]>>();

/** Lines of the tab; made once for the verdicts of a moment, whatever else moves. */
export function pathLines(snapshot: Snapshot, container: Container, reach: Reachability): Line[] {
  const known = made.get(reach) ?? new Map<string, Line[]>();
  made.set(reach, known);
  const lines = known.get(container.id) ?? makeLines(snapshot, container, reach);
  known.set(container.id, lines);
  return lines;
}
