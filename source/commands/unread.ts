/** What could not be read of all that a verdict of the packet walk may hang on. */
import type { Snapshot } from '../facts/schema.ts';

/** The sources without which a verdict may be unknown. */
const needed = ['docker', 'links', 'sockets', 'netfilter', 'kernel', 'processes'];

/** One line for each of them that failed: `not readable: netfilter: needs root`. */
export function unreadForWalk(snapshot: Pick<Snapshot, 'sources'>): string[] {
  return needed.flatMap(name => {
    const source = snapshot.sources[name];
    return source?.state === 'failed' ? [`not readable: ${name}: ${source.reason ?? 'no reason given'}`] : [];
  });
}
