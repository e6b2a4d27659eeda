/** What a pane says where rows are missing: that they are being read, unknown and why, stale, or truly none. */
import type { Snapshot, Source } from '../facts/schema.ts';
import type { LiveView } from '../live/live.ts';
import { glyphs } from '../terminal/charset.ts';
import { cell } from './cell.ts';
import type { Line } from './cell.ts';
import { commandWithRights, isForWantOfRights } from './rights.ts';
import { age } from './units.ts';

/** The source that a pane cannot do without. */
export type PaneSource = 'docker' | 'links' | 'sockets' | 'netfilter';

/** What an operator can do about a source that cannot be read. */
const remedies: Readonly<Record<PaneSource, string>> = {
  docker:
    'Start Docker, name another daemon with --host or DOCKER_HOST, or run netdash as a user who may open the socket. What needs no Docker is in the other panes.',
  links: 'netdash reads links with `ip` (package iproute2).',
  sockets:
    'netdash reads sockets with `ss` (package iproute2) or from /proc/net; owners of other users’ sockets need root.',
  netfilter: 'Reading firewall rules needs root (or CAP_NET_ADMIN) and iptables-save or nft.',
};

/** ` reading…`, or when that takes long ` waiting 3 s`. */
export const waitingText = (source: Source | undefined): string =>
  source?.waitingMs ? ` waiting ${source.waitingMs / 1000} s` : ` reading${glyphs.ellipsis}`;

function stateLines(name: PaneSource, source: Source | undefined, view: LiveView): Line[] {
  if (!source || source.waitingMs !== undefined) return [[cell(`${name}:${waitingText(source)}`, 'dim')]];
  const reason = source.reason ?? source.state;
  if (source.state === 'ok') return [];
  const command = isForWantOfRights(reason) ? commandWithRights(view.snapshot, 'netdash') : undefined;
  const how: Line[] = command === undefined ? [] : [[cell(`To see it: ${command}`, 'dim')]];
  if (source.state === 'partial') {
    return [[cell(`${glyphs.warning} ${name} incomplete: ${reason}`, 'warn')], ...how];
  }
  const stale = staleLine(name, source);
  if (stale) return [stale];
  // No right and no package brings the sources of a machine that netdash is not on.
  const isElsewhere = name !== 'docker' && view.snapshot.host.docker?.local === false;
  const remedy = isElsewhere ? 'Run netdash on the host of that daemon to see them.' : remedies[name];
  return [
    [cell(`${glyphs.failed} unknown, ${name} cannot be read: ${reason}`, 'bad')],
    [cell(remedy, 'dim')],
    ...(isElsewhere ? [] : how),
  ];
}

/** That what is shown is what a source said earlier, since it cannot be read now; undefined where that is not so. */
function staleLine(name: PaneSource, source: Source | undefined): Line | undefined {
  if (source?.state !== 'failed' || source.ageMs === null) return undefined;
  const reason = source.reason ?? source.state;
  const text = `${glyphs.failed} ${name} cannot be read now: ${reason}. Shown is what it said ${age(source.ageMs)} ago`;
  return [cell(text, 'bad')];
}

/** Lines above a page that is made from several sources: nothing while all of them are of now. */
export function staleNotices(names: readonly PaneSource[], { snapshot: { sources } }: LiveView): Line[] {
  return names.flatMap(name => {
    const line = staleLine(name, sources[name]);
    return line ? [line] : [];
  });
}

/** Lines above a pane's rows: nothing while its source is well. */
export function paneNotices(name: PaneSource | undefined, view: LiveView): Line[] {
  return name === undefined ? [] : stateLines(name, view.snapshot.sources[name], view);
}

/**
 * Whether no findings means none in what can be read only: something that is judged by was not read, or not all of it; the
 * netns of a rootless daemon, and what listens in a container that publishes ports, among it.
 */
export function isBlind({ sources, host, containers }: Pick<Snapshot, 'sources' | 'host' | 'containers'>): boolean {
  const isApart = host.docker?.rootless === true && host.docker.local !== false;
  const isUnread = Object.entries(sources).some(([name, { state }]) => name !== 'state' && state !== 'ok');
  return isApart || isUnread || containers.some(each => each.publishedPorts.length > 0 && each.listeners === null);
}

/**
 * What stands in place of rows.
 * @param none what it means that there are none, once everything was read
 */
export function emptyLines(name: PaneSource | undefined, view: LiveView, none: string): Line[] {
  const source = name === undefined ? undefined : view.snapshot.sources[name];
  const isUnknown = name !== undefined && (!source || (source.state === 'failed' && source.ageMs === null));
  if (isUnknown) return [];
  return view.ready ? [[cell(none, 'dim')]] : [[cell(`reading${glyphs.ellipsis}`, 'dim')]];
}
