/** What could not be read of all that a verdict of the packet walk may hang on. */
import type { Snapshot } from '../facts/schema.ts';

/** The sources without which a verdict may be unknown. */
const needed = ['docker', 'links', 'sockets', 'netfilter', 'kernel', 'processes'];

/**
 * One line for each of them that failed: `not readable: netfilter: needs root`, or that lacks a part: `incomplete: …`; and one for the netns of a rootless daemon,
 * into which none of them looks.
 */
export function unreadForWalk(snapshot: Pick<Snapshot, 'sources' | 'host'>): string[] {
  const { docker } = snapshot.host;
  const apart =
    docker?.rootless && docker.local !== false ? ["not read: rules and links of rootless Docker's own netns"] : [];
  const failed = needed.flatMap(name => {
    const source = snapshot.sources[name];
    if (!source || source.state === 'ok') return [];
    const what = source.state === 'failed' ? 'not readable' : 'incomplete';
    return [`${what}: ${name}: ${source.reason ?? 'no reason given'}`];
  });
  return [...failed, ...apart];
}
