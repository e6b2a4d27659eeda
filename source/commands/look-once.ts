/** One complete look at a host, for commands that print and end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { orphanMarginMs, perhapsPassing, withoutPassing, type OrphanLook } from '../facts/findings/orphan-link.ts';
import { orphanRule } from '../facts/findings/orphan-rule.ts';
import { staleProxy } from '../facts/findings/stale-proxy.ts';
import type { Host } from '../host/host.ts';
import { sourceNames, type Readings } from '../host/readings.ts';
import type { Live, LiveView } from '../live/live.ts';
import { startLive } from '../live/start-live.ts';
import { stopInTime } from './parting.ts';

/** A source that has not answered by then is said not to have. Docker is given up after the 10 s of one refusal. */
const patienceMs = 30_000;
/** Clocks and timers differ by some ms. */
const slackMs = 100;
/**
 * What a container that is just being started or stopped looks like, too, where its proxies or rules and what Docker says of it are of two
 * moments; and how much later it is looked again whether it still does.
 */
const fleeting: ReadonlySet<string> = new Set([staleProxy.code, orphanRule.code]);
const fleetingMs = 1000;
/** How soon it is looked again first; then after twice as long each time. */
const firstStepMs = 1000;

/** How to look. */
export interface LookOptions {
  /** For sources that do not answer, ms. */
  patience?: number;
  /** Looks a second time, which takes a quarter of a minute, at what may be passing; without, such things are not told. */
  looksAgain?: boolean;
  /** Is told before that second look of how long it may take, ms, and of the names of what may be passing. */
  onWait?: (ms: number, names: readonly string[]) => void;
}

/** Reads everything once, insides of containers included. Leaves nothing running. */
export async function lookOnce(host: Host, options: LookOptions = {}): Promise<LiveView> {
  return (await readOnce(host, options)).view;
}

/** The same, with the readings behind the view. */
export async function readOnce(
  host: Host,
  { patience = patienceMs, looksAgain = false, onWait }: LookOptions = {},
): Promise<{ view: LiveView; readings: Readings }> {
  const live = await startLive(host, { once: true });
  try {
    const ready = new Promise<void>(resolve => {
      live.subscribe(() => {
        if (live.getView().ready) resolve();
      });
    });
    await inTime(ready, patience);
    const view = await seenTwice(live, host, patience);
    const readings = live.getReadings();
    const first = lookOf(live);
    // A recording is of one moment.
    const isWorthwhile = looksAgain && view.ready && host.kind === 'live' && perhapsPassing(first).length > 0;
    const later = isWorthwhile ? await lookAgain(live, first, host, { patience, onWait }) : undefined;
    const passed = new Set(withoutPassing(first, later).map(({ id }) => id));
    const findings = view.snapshot.findings.filter(({ id }) => passed.has(id));
    const isWhole = findings.length === view.snapshot.findings.length;
    const told = isWhole ? view : { ...view, snapshot: { ...view.snapshot, findings } };
    return { view: withoutAnswer(told, readings, patience), readings };
  } finally {
    await stopInTime(live);
  }
}

/** Waits for something, but no longer than that. @returns whether it came about */
async function inTime(wanted: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([wanted.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The view, for which it is looked again where something in it may be fleeting: of that, what is there both times is told. */
async function seenTwice(live: Live, host: Host, patience: number): Promise<LiveView> {
  const first = live.getView();
  const seen = new Set(first.snapshot.findings.filter(({ code }) => fleeting.has(code)).map(({ id }) => id));
  if (!first.ready || host.kind !== 'live' || seen.size === 0) return first;
  await sleep(fleetingMs);
  if (!(await inTime(live.refresh(), patience))) return first;
  const view = live.getView();
  const findings = view.snapshot.findings.filter(({ code, id }) => !fleeting.has(code) || seen.has(id));
  return findings.length === view.snapshot.findings.length
    ? view
    : { ...view, snapshot: { ...view.snapshot, findings } };
}

const lookOf = (live: Live): OrphanLook => {
  const { snapshot } = live.getView();
  return { findings: snapshot.findings, context: { readings: live.getReadings(), facts: snapshot } };
};

/**
 * Looks again when what was seen in passing must have passed, and now and then before: mostly it is gone within seconds, and whoever asks need
 * not wait longer. undefined when no answer came.
 */
async function lookAgain(
  live: Live,
  first: OrphanLook,
  host: Host,
  { patience, onWait }: { patience: number; onWait: LookOptions['onWait'] },
): Promise<OrphanLook | undefined> {
  const { readings } = first.context;
  const now = host.now();
  const orphans = perhapsPassing(first);
  const passing = new Set(orphans.map(({ id }) => id));
  const seenAt = Math.max(readings.docker.at ?? now, readings.links.at ?? now);
  let leftMs = Math.max(0, Math.min(orphanMarginMs, seenAt + orphanMarginMs - now)) + slackMs;
  onWait?.(
    leftMs,
    orphans.map(({ subject }) => subject.name),
  );
  for (let stepMs = firstStepMs; leftMs > 0; stepMs *= 2) {
    const waitMs = Math.min(stepMs, leftMs);
    await sleep(waitMs);
    leftMs -= waitMs;
    if (!(await inTime(live.refresh(), patience))) return undefined;
    const look = lookOf(live);
    if (leftMs <= 0 || !look.findings.some(({ id }) => passing.has(id))) return look;
  }
  return undefined;
}

/** The view, in which a source that is still waited for says how long it was. */
function withoutAnswer(view: LiveView, readings: Readings, patience: number): LiveView {
  const silent = sourceNames.filter(name => readings[name].state === 'pending');
  if (silent.length === 0) return view;
  const sources = { ...view.snapshot.sources };
  const reason = `no answer within ${patience / 1000} s`;
  for (const name of silent) sources[name] = { state: 'failed', reason, ageMs: null };
  return { ...view, snapshot: { ...view.snapshot, sources } };
}
