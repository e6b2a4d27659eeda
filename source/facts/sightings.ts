/**
 * When findings have to be judged again. Judging looks at everything, so it is done only when a reading says something
 * new, when one is confirmed for the first time (some findings want to see a thing twice), and now and then for those
 * that come and go with time.
 */
import type { Reading, Readings } from '../host/readings.ts';
import { settingsOf } from './kernel-settings.ts';

/** What a source last said, and whether it has said it twice. */
interface Sighting {
  value: unknown;
  state: Reading<unknown>['state'];
  reason: string | undefined;
  /** When it was read; of the time, when anything else was new. */
  at: number | undefined;
  confirmed: boolean;
}

/** By source, and by container for what is inside. The same object as long as nothing has to be judged again. */
export type Sightings = ReadonlyMap<string, Sighting>;

/** How long a container counts as young: findings about what it should be doing by now are due in this time. */
const youngMs = 60_000;
const youngStepMs = 2000;
const calmStepMs = 30_000;
/** Where nothing has been new for so long, ms, the host is at rest: time alone has things judged less often. */
export const restMs = 120_000;
const restStepMs = 300_000;
/**
 * What is confirmed inside a container after so long was confirmed by a look in turn: nobody waits for it, and with many containers each of them would have
 * everything judged again. It counts when time has it judged anyway.
 */
const inTurnMs = 20_000;

/** A text that changes when findings which depend on the time alone are to be looked at again. @param newsAt when anything else was new */
function timeStep(readings: Readings, now: number, newsAt: number): string {
  const isYoung = readings.docker.value?.containers.some(
    ({ startedAt, finishedAt }) => now - Math.max(startedAt ?? 0, finishedAt ?? 0) < youngMs,
  );
  if (isYoung) return `young ${Math.floor(now / youngStepMs)}`;
  return now - newsAt < restMs ? `calm ${Math.floor(now / calmStepMs)}` : `rest ${Math.floor(now / restStepMs)}`;
}

const isInTurn = (firstAt: number | undefined, at: number | undefined): boolean =>
  firstAt !== undefined && at !== undefined && at - firstAt > inTurnMs;

/** Calls back with what the findings look at in each reading; the counters of interfaces and connections, load and memory are not. */
function forParts(
  readings: Readings,
  note: (name: string, reading: Reading<unknown>, value: unknown, isInside: boolean) => void,
): void {
  for (const name of ['docker', 'sockets', 'netfilter', 'processes'] as const) {
    note(name, readings[name], readings[name].value, false);
  }
  note('kernel', readings.kernel, settingsOf(readings.kernel.value), false);
  note('vitals', readings.vitals, readings.vitals.value?.nics, false);
  note('links', readings.links, readings.links.value?.links, false);
  note('routes', readings.links, readings.links.value?.routes, false);
  for (const id in readings.inside) {
    const reading = readings.inside[id];
    if (reading) note(id, reading, reading.value, true);
  }
}

/**
 * Moves on by one round of readings.
 * @returns `before` itself when nothing has to be judged again
 */
export function keepSightings(before: Sightings | undefined, readings: Readings, now: number): Sightings {
  const after = new Map<string, Sighting>();
  const time = before?.get('time');
  const step = timeStep(readings, now, time?.at ?? now);
  const isSameStep = time?.value === step;
  let isSame = before !== undefined;
  forParts(readings, (name, { state, reason, at }, value, isInside) => {
    const last = before?.get(name);
    if (last === undefined || last.value !== value || last.state !== state || last.reason !== reason) {
      after.set(name, { value, state, reason, at, confirmed: false });
      isSame = false;
    } else if (last.confirmed || last.at === at) after.set(name, last);
    else if (isSameStep && isInside && isInTurn(last.at, at)) after.set(name, last);
    else {
      after.set(name, { ...last, at, confirmed: true });
      isSame = false;
    }
  });
  // The time itself is one of those before.
  const hasNews = !isSame || before?.size !== after.size + 1;
  after.set('time', { value: step, state: 'ok', reason: undefined, at: hasNews ? now : time?.at, confirmed: true });
  return hasNews || !isSameStep || !before ? after : before;
}
