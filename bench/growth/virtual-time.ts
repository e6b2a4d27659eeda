/**
 * Time that passes as fast as the program can follow: timers fire in order, the clocks jump from one to the next, and all that
 * is left to pay for is CPU. Must be imported before anything that keeps a timer function or a clock for itself.
 */
const real = { setTimeout, clearTimeout, setImmediate, now: performance.now.bind(performance) };
const startedAt = Date.now();
let now = 0;
let serial = 0;

interface Timer {
  at: number;
  order: number;
  everyMs?: number;
  run: () => void;
}
const timers = new Map<number, Timer>();

/** What stands for Node's Timeout: enough of it for whoever calls ref, unref or clears it. */
class Handle {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return timers.has(this.id);
  }
  refresh(): this {
    return this;
  }
  [Symbol.toPrimitive](): number {
    return this.id;
  }
}

const add = (run: (...args: never[]) => void, ms: number, args: unknown[], everyMs?: number): Handle => {
  serial += 1;
  const act = (): void => Reflect.apply(run, undefined, args) as void;
  timers.set(serial, {
    at: now + Math.max(1, ms || 0),
    order: serial,
    run: act,
    ...(everyMs !== undefined && { everyMs }),
  });
  return new Handle(serial);
};
const remove = (handle: unknown): void => {
  if (handle instanceof Handle) timers.delete(handle.id);
};

Object.assign(globalThis, {
  setTimeout: (run: () => void, ms = 0, ...args: unknown[]) => add(run, ms, args),
  setInterval: (run: () => void, ms = 0, ...args: unknown[]) => add(run, ms, args, Math.max(1, ms)),
  clearTimeout: remove,
  clearInterval: remove,
});
Object.defineProperty(performance, 'now', { value: () => now, configurable: true });
Date.now = () => startedAt + Math.floor(now);

/** The true clock, ms: for what is left out of the account. */
export const realNow = real.now;

/** Lets everything run that waits for no timer. Promises, React and streams need a few turns of the loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise<void>(resolve => void real.setImmediate(resolve));
}

/** Lets so much time pass. */
export async function pass(ms: number): Promise<void> {
  const end = now + ms;
  await settle();
  for (;;) {
    let next: [number, Timer] | undefined;
    for (const entry of timers) {
      const [, { at, order }] = entry;
      if (!next || at < next[1].at || (at === next[1].at && order < next[1].order)) next = entry;
    }
    if (!next || next[1].at > end) break;
    const [id, timer] = next;
    now = Math.max(now, timer.at);
    if (timer.everyMs === undefined) timers.delete(id);
    else timer.at = now + timer.everyMs;
    timer.run();
    await settle();
  }
  now = end;
}
