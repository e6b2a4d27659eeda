/** Small things that several detectors share. */
import type { ContainerReading } from '../../host/readings.ts';
import { isUp } from '../publishing.ts';
import { parseStartError, type StartError } from '../start-errors.ts';
import type { FindingContext, FindingDraft } from './detector.ts';

/** Host ports without repetition, in the shape that findings have. */
export function uniquePorts(ports: readonly FindingDraft['ports'][number][]): FindingDraft['ports'] {
  const seen = new Map(
    ports.map(({ proto, address, port }) => [`${proto}/${address}/${port}`, { proto, address, port }]),
  );
  return [...seen.values()];
}

/** The port error of a container's last start, when it is down because of it. */
export function failedStart(container: ContainerReading): StartError | undefined {
  if (isUp(container) || container.state === 'restarting' || container.state === 'removing') return undefined;
  return parseStartError(container.error);
}

/** A place as the operator writes it: `127.0.0.1:80`, `[::]:80`. */
export function placeText(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Whether the daemon's containers are known to live on another machine or in another netns, so that this host's sockets, links and settings are not theirs. */
export function isElsewhere(engine: { local?: boolean; rootless: boolean } | undefined): boolean {
  return engine?.local === false || engine?.rootless === true;
}

/**
 * Whether what bears Docker's name on this host (its chains, docker-proxies, `br-` bridges) may be another daemon's than the
 * one that is asked, so that nothing follows from its not knowing them: Podman makes none of these.
 */
export function isNotDockers(engine: { local?: boolean; rootless: boolean; podman?: true } | undefined): boolean {
  return isElsewhere(engine) || engine?.podman === true;
}

/** How long a program may take from its start until it listens: younger ones are not judged by their listeners. */
export const graceMs = 15_000;

/** Whether a finding of this code about this subject was raised the moment before: it need not be seen twice again. */
export function wasRaised(code: string, subjectId: string | undefined, { previous }: FindingContext): boolean {
  return previous.some(finding => finding.code === code && finding.subject.id === subjectId);
}
