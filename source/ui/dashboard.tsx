/** Runs the dashboard on a terminal from start to quit, and leaves the terminal as it was. */
import { setImmediate as breathe } from 'node:timers/promises';
import type { Live } from '../live/live.ts';
import { announceColour, detectTerminal } from '../terminal/detect.ts';
import { TerminalInput } from '../terminal/input.ts';
import { TerminalOutput } from '../terminal/output.ts';
import { suspendProcess } from '../terminal/suspend.ts';
import type { HandOver } from '../terminal/suspend.ts';
import { createController } from './controller.ts';
import { createScreenStore } from './screen-store.ts';

/** The streams and environment of a terminal; the process's own where absent. */
export interface TerminalStreams {
  stdin?: NodeJS.ReadStream;
  stdout?: NodeJS.WriteStream;
  env?: NodeJS.ProcessEnv;
}

export interface DashboardOptions {
  live: Live;
  terminal?: TerminalStreams;
  /** What to show first: the page of this container (name, or at least four digits of its id). */
  initial?: { containerName?: string };
  /** Shown with RECORDING in the header of a recording. */
  title?: string;
}

const endSignals = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;

/**
 * Ends the process by SIGHUP when it exits. Node's own exit gives a terminal its modes back, and aborts with a core dump
 * when there is no terminal any more (`node::ResetStdio` takes only EPERM for an answer).
 */
function exitByHangup(): void {
  process.once('exit', () => {
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  });
}

/** Calls back at the beginning of every minute of the local clock; returns the way to stop that. */
function everyMinute(callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(
      () => {
        callback();
        wait();
      },
      60_050 - (Date.now() % 60_000),
    );
    timer.unref();
  };
  wait();
  return () => clearTimeout(timer);
}

/** The first frame costs several times what the next ones do: it waits for something to show, until so many ms after the start of the program. */
const patience = 500;

/** Resolves when every source has answered, or when it has taken too long. */
function firstView(live: Live): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    };
    const check = () => {
      if (live.getView().ready) done();
    };
    const timer = setTimeout(done, Math.max(0, patience - performance.now()));
    const unsubscribe = live.subscribe(check);
    check();
  });
}

/**
 * Shows the dashboard until the operator quits, the terminal goes away or a signal asks for the end; by then the
 * terminal is restored. `live` is left running: its owner stops it. After a signal, `process.exitCode` is 128 and its
 * number. Call only where `detectTerminal` says `interactive`.
 * @returns false when the terminal takes nothing any more: what it was sent last is still waiting, and would keep the
 * process from ending by itself
 */
export async function renderDashboard(options: DashboardOptions): Promise<boolean> {
  const { live, title } = options;
  const { stdin = process.stdin, stdout = process.stdout, env = process.env } = options.terminal ?? {};
  const terminal = detectTerminal(env, stdout, stdin);
  announceColour(terminal, process.env);
  // chalk reads FORCE_COLOR and React NODE_ENV when they are imported: not before now.
  process.env['NODE_ENV'] ??= 'production';
  // Each takes a while: in between, what the host answers is taken, and more is asked.
  const { default: react } = await import('react');
  await breathe();
  const { render } = await import('ink');
  await breathe();
  const { App } = await import('./app.tsx');
  // The keyboard is raw before the terminal is asked anything, or the answer would be echoed.
  const output = new TerminalOutput(stdout);
  const input = new TerminalInput(stdin, () => output.answered());
  input.setRawMode(true);
  output.startAsking();
  await firstView(live);

  const { kind } = live.getView().snapshot.host;
  const clock = () => (kind === 'recording' ? Date.parse(live.getView().snapshot.takenAt) : Date.now());
  const store = createScreenStore({
    live,
    size: { columns: output.columns, rows: output.rows },
    containerName: options.initial?.containerName,
    clock: clock(),
    sink: output,
  });

  let handOver: HandOver | undefined;
  let isSuspended = false;
  const flushed = () => new Promise<void>(resolve => output.whenIdle(resolve));
  const onResize = () => store.resize({ columns: output.columns, rows: output.rows });
  const suspend = async (): Promise<void> => {
    if (!handOver || isSuspended) return;
    isSuspended = true;
    await output.stopAsking();
    await suspendProcess(handOver, flushed);
    output.startAsking();
    isSuspended = false;
    onResize();
  };
  const redraw = async (): Promise<void> => {
    await output.stopAsking();
    const session = await handOver?.();
    await session?.resume();
    output.startAsking();
  };
  const controller = createController(store, live, {
    write: sequence => output.write(sequence),
    quit: () => quit(),
    redraw: () => void redraw(),
    suspend: () => void suspend(),
  });

  const app = render(
    react.createElement(App, {
      store,
      controller,
      look: terminal,
      title,
      onHandOver: way => {
        handOver = way;
      },
    }),
    {
      stdout: output as unknown as NodeJS.WriteStream,
      stdin: input as unknown as NodeJS.ReadStream,
      alternateScreen: true,
      incrementalRendering: true,
      patchConsole: false,
      exitOnCtrlC: false,
      interactive: true,
      maxFps: 30,
    },
  );
  let isLeaving = false;
  let unmounted: () => void;
  const left = new Promise<void>(resolve => (unmounted = resolve));
  const leave = (): void => {
    app.unmount();
    unmounted();
  };
  const quit = (): void => {
    // Who asks twice does not want to wait.
    if (isLeaving) leave();
    else void output.stopAsking().then(leave);
    isLeaving = true;
  };
  /** Ends when the terminal is restored; or, on a line that takes nothing any more, without that. */
  const over = async (): Promise<boolean> => {
    const exit = app.waitUntilExit().then(() => true);
    return Promise.race([exit, left.then(() => output.flushed()).then(isDelivered => (isDelivered ? exit : false))]);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    process.exitCode = 128 + endSignals[signal as keyof typeof endSignals];
    if (signal === 'SIGHUP') onGone();
    else quit();
  };
  const onGone = (): void => {
    if (stdout === process.stdout) exitByHangup();
    leave();
  };
  for (const signal of Object.keys(endSignals)) process.on(signal, onSignal);
  stdin.once('end', onGone).once('error', onGone);
  output.once('close', onGone);
  output.on('resize', onResize);
  const stopClock = everyMinute(() => store.setClock(clock()));

  try {
    return await over();
  } finally {
    stopClock();
    controller.dispose();
    store.dispose();
    for (const signal of Object.keys(endSignals)) process.off(signal, onSignal);
    stdin.off('end', onGone).off('error', onGone);
    output.off('resize', onResize).off('close', onGone);
    input.release();
    output.release();
  }
}
