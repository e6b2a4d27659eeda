/**
 * A process that starts a lab and never stops it, for the tests of what happens when such a process ends.
 *   starter.ts mission|none [throw]
 * Prints its progress, and `started` when the lab is complete; with `throw` it dies of an error when its input ends.
 */
import { once } from 'node:events';
import { startLab } from './lab.ts';

const [seed, ending] = process.argv.slice(2);
await startLab({ seed: seed === 'mission' ? 'mission' : 'none', report: line => console.log(line) });
console.log('started');
await once(process.stdin.resume(), 'end');
if (ending === 'throw') throw new Error('as asked');
