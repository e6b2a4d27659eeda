/** Ctrl-Z. Raw mode takes the key from the terminal, so the program has to stop itself as the terminal would have. */

/** What gives the terminal back to the shell and takes it again; Ink's `useApp().suspendTerminal`. */
export type HandOver = () => Promise<{ resume(): Promise<void> }>;

/**
 * Leaves the terminal to the shell and stops the process group, as Ctrl-Z does to a program in cooked mode; comes back
 * when it is continued (`fg`). Where no shell does job control the kernel drops the signal, and it comes back at once.
 * @param flushed resolves when all that was written has reached the terminal
 */
export async function suspendProcess(handOver: HandOver, flushed: () => Promise<void>): Promise<void> {
  const session = await handOver();
  await flushed();
  await new Promise<void>(resolve => {
    // Also keeps Node alive: with stdin released nothing else would.
    const timer = setTimeout(done, 100);
    function done(): void {
      clearTimeout(timer);
      process.off('SIGCONT', done);
      resolve();
    }
    process.once('SIGCONT', done);
    process.kill(0, 'SIGTSTP');
  });
  await session.resume();
}
