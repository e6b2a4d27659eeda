/** The header: what this host is, how its network is set up, what is wrong, and what could be read of it. */
import type { Severity, Snapshot, Source } from '../facts/schema.ts';
import type { LiveView } from '../live/live.ts';
import { glyphs } from '../terminal/charset.ts';
import { sanitise } from '../terminal/sanitise.ts';
import { truncate } from '../terminal/width.ts';
import { cell } from './cell.ts';
import type { Cell, Line, Tone } from './cell.ts';
import { severities } from './common-cells.ts';
import { trafficOf } from './lookup.ts';
import { isBlind, waitingText } from './notices.ts';
import { fitSegments, spread } from './segments.ts';
import type { Segment } from './segments.ts';
import { age, hoursMinutes, plural, rate, timeOfDay } from './units.ts';

/** What the header says beside the view. */
export interface HeaderContext {
  width: number;
  /** The time to show, ms since the epoch. */
  clock: number;
  /** Shown with RECORDING when the host is one. */
  title?: string;
}

/** Longest name of a host, title, version or backend: a longer one must not push out what else there is to say. */
const longestName = 40;
const short = (name: string): string => truncate(sanitise(name), longestName);

const said = (label: string, ...rest: Cell[]): Line => [cell(`${label} `, 'dim'), ...rest];

function marks(view: LiveView, title: string | undefined): Segment[] {
  const lines: Line[] = [];
  if (view.snapshot.host.kind === 'recording')
    lines.push([cell(` RECORDING ${short(title ?? view.snapshot.host.name)} `, 'mark')]);
  if (view.frozenAt !== undefined) lines.push([cell(` FROZEN ${timeOfDay(view.frozenAt)} `, 'mark')]);
  return lines.map(line => ({ priority: 1, forms: [line] }));
}

function onOff(label: string, value: boolean | null, offTone: Tone): Cell {
  if (value === null) return cell(`${label} unknown`, 'dim');
  return cell(`${label} ${value ? 'on' : 'off'}`, value ? 'good' : offTone);
}

function forwarding({ ipForward }: Snapshot['host']): Line[] {
  if (ipForward.v4 === null && ipForward.v6 === null) return [said('ip_forward', cell('unknown', 'dim'))];
  // IPv6 that is not forwarded is the default of every distribution; without IPv4 published ports do not work.
  const both = [onOff('v4', ipForward.v4, 'bad'), cell(' '), onOff('v6', ipForward.v6, 'dim')];
  return [said('ip_forward', ...both), said('fwd', ...both)];
}

function policy(host: Snapshot['host']): Line[] {
  const { v4, v6 } = host.forwardPolicy;
  if (v4 === null && v6 === null) {
    return host.unknown?.['forwardPolicy'] === undefined ? [] : [said('FORWARD', cell('unknown', 'dim'))];
  }
  const text = v6 === null || v6 === v4 ? String(v4) : v4 === null ? `v6 ${v6}` : `v4 ${v4} v6 ${v6}`;
  return [said('FORWARD', cell(text))];
}

function dockerLines(snapshot: Snapshot): Line[] {
  const { docker } = snapshot.host;
  const source = snapshot.sources['docker'];
  if (docker) {
    const rootless = docker.rootless ? ' rootless' : '';
    const product = docker.podman ? 'Podman' : 'Docker';
    return [[cell(`${product} ${short(docker.version)}${rootless}`, source?.state === 'failed' ? 'warn' : 'plain')]];
  }
  if (source?.waitingMs !== undefined) return [[cell(`Docker${waitingText(source)}`, 'dim')]];
  return [[cell(`${glyphs.failed} no Docker`, 'bad')]];
}

function containersLine(snapshot: Snapshot): Line[] {
  const { containersRunning, containersTotal } = snapshot.host;
  if (containersRunning === null || containersTotal === null) return [];
  const count = `${containersRunning}/${containersTotal}`;
  if (snapshot.sources['docker']?.state === 'failed') {
    return [[cell(`${count} containers were up`, 'warn')], [cell(`${count} were up`, 'warn')]];
  }
  return [
    [cell(count), cell(' containers up', 'dim')],
    [cell(count), cell(' up', 'dim')],
  ];
}

function rates(snapshot: Snapshot): Line[] {
  const total = trafficOf(
    snapshot,
    snapshot.links.filter(link => link.containerId !== undefined),
  );
  if (total?.rxRate === undefined || total.txRate === undefined) return [];
  const tone = total.rxRate + total.txRate < 1 ? 'dim' : 'plain';
  return [[cell(`${glyphs.down} ${rate(total.rxRate)} ${glyphs.up} ${rate(total.txRate)}`, tone)]];
}

const words: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'info' };

/** `✗ 2 errors  ! 3 warnings  i 1 info`, from the longest form to the one that has only what matters most. */
export function findingCounts({ snapshot, ready }: Pick<LiveView, 'snapshot' | 'ready'>): Line[] {
  const counts = (['error', 'warning', 'info'] as const)
    .map(severity => ({ severity, number: snapshot.findings.filter(finding => finding.severity === severity).length }))
    .filter(({ number }) => number > 0);
  if (counts.length === 0) {
    if (!ready) return [[cell('not judged yet', 'dim')]];
    return [
      [isBlind(snapshot) ? cell('no findings in what can be read', 'dim') : cell(`${glyphs.ok} no findings`, 'good')],
    ];
  }
  const cells = counts.map(({ severity, number }, i) => {
    const { glyph, tone } = severities[severity];
    const text = severity === 'info' ? `${number} info` : plural(number, words[severity]);
    return cell(`${i === 0 ? '' : '  '}${glyph} ${text}`, tone);
  });
  return [cells, cells.slice(0, 2), cells.slice(0, 1)];
}

/** `docker ✓`, `netfilter ✗ needs root, 2m old`. */
function sourceCells(name: string, source: Source): Cell[] {
  const stale = source.ageMs !== null && source.state === 'failed' ? `, ${age(source.ageMs)} old` : '';
  if (source.state === 'ok') return [cell(`${name} `, 'dim'), cell(glyphs.ok, 'good')];
  if (source.waitingMs !== undefined) return [cell(`${name}:${waitingText(source)}`, 'dim')];
  const [glyph, tone] =
    source.state === 'partial' ? ([glyphs.warning, 'warn'] as const) : ([glyphs.failed, 'bad'] as const);
  return [cell(`${name} `, 'dim'), cell(`${glyph} ${source.reason ?? source.state}${stale}`, tone)];
}

const join = (parts: readonly Line[]): Line => parts.flatMap((part, i) => (i === 0 ? part : [cell('  '), ...part]));

function sources(view: LiveView): Line[] {
  const entries = Object.entries(view.snapshot.sources);
  const all = entries.map(([name, source]) => sourceCells(name, source));
  const notOk = entries
    .filter(([, source]) => source.state !== 'ok')
    .map(([name, source]) => sourceCells(name, source));
  const fine = entries.length - notOk.length;
  const fineCells = fine === 0 ? [] : [[cell(`${fine}/${entries.length} sources `, 'dim'), cell(glyphs.ok, 'good')]];
  const bare = notOk.map(part => part.map((piece, i) => (i === 1 ? cell(piece.text.slice(0, 1), piece.tone) : piece)));
  return [join(all), join([...fineCells, ...notOk]), join([...fineCells, ...bare]), join(bare)];
}

/** The two lines of the header, each at most `width` columns. */
export function headerLines(view: LiveView, context: HeaderContext): [Line, Line] {
  const { snapshot } = view;
  const { host } = snapshot;
  const { width } = context;
  const time: Line = [cell(hoursMinutes(context.clock), 'dim')];
  const first: Segment[] = [
    ...marks(view, context.title),
    {
      priority: 2,
      forms:
        host.kind === 'recording' && (context.title ?? host.name) === host.name
          ? []
          : [[cell(short(host.name), 'title')]],
    },
    { priority: 3, forms: dockerLines(snapshot) },
    {
      priority: 6,
      forms:
        host.firewallBackend === null
          ? []
          : [said('firewall', cell(short(host.firewallBackend))), said('fw', cell(short(host.firewallBackend)))],
    },
    { priority: 5, forms: forwarding(host) },
    { priority: 7, forms: policy(host) },
    { priority: 4, forms: containersLine(snapshot) },
    {
      priority: 9,
      forms: host.loadAverage ? [said('load', cell(host.loadAverage[0].toFixed(2)))] : [],
    },
    { priority: 8, forms: host.root ? [] : [[cell('not root', 'warn')]] },
  ];
  const second: Segment[] = [
    { priority: 1, forms: findingCounts(view) },
    { priority: 3, forms: rates(snapshot) },
    { priority: 2, forms: sources(view) },
  ];
  return [spread(fitSegments(first, width - 7), time, width), fitSegments(second, width)];
}
