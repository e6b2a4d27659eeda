/**
 * Draws netdash's screen, which it knows beforehand, when all has been answered that netdash asks until it shows that screen. All of it is asked at once, and before
 * Ink is loaded, nothing waits for another answer, and every answer is thrown away: what asks as much and draws as much by Ink cannot be there sooner.
 */
import { ask, type Call } from './asking.mjs';

/** Put in by the bundler (bench.ts). */
declare const CALLS: readonly Call[];
declare const SOCKET: string;

const answers = Promise.all(CALLS.map(call => ask(call, SOCKET)));
const { draw } = await import('./floor-screen.tsx');
await answers;
draw();
