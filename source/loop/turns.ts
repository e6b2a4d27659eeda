/**
 * Long work takes turns. All of netdash runs on one thread, and Node looks for keys only between rounds of its event loop, in
 * each of which it runs everything that has become due: so of what takes milliseconds, one piece a round is begun.
 */

const urgent: (() => void)[] = [];
const patient: (() => void)[] = [];
let isArmed = false;

function arm(): void {
  if (isArmed) return;
  isArmed = true;
  setImmediate(takeOne);
}

function takeOne(): void {
  isArmed = false;
  const work = urgent.shift() ?? patient.shift();
  if (urgent.length + patient.length > 0) arm();
  work?.();
}

/** Runs `work` when it is its turn: before all that waits patiently, after what came here before it. */
export function inTurn(work: () => void): void {
  urgent.push(work);
  arm();
}

/** Resolves when a patient piece of work may begin: nothing that is urgent waits, and keys were looked for since the last piece. */
export function turn(): Promise<void> {
  return new Promise(resolve => {
    patient.push(resolve);
    arm();
  });
}

/** Resolves when what cannot wait may go on: after what came here before it, and keys were looked for since its last piece. */
export function urgentTurn(): Promise<void> {
  return new Promise(inTurn);
}
