import { ownProcessText, placesText } from './served-text.ts';
import { behindTwice, servedPorts, servedSubject, type ServedPort } from './behind-port.ts';
import type { Finding } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';

/** How to look into a container's netns without netdash. */
export const insideCommand = ({ container, port, proto }: ServedPort): string =>
  `nsenter -t ${container.pid} -n ss -${proto === 'tcp' ? 'tln' : 'uln'} 'sport = :${port}'`;

function pausedDraft(served: ServedPort): FindingDraft {
  const { container, port, proto, places } = served;
  return {
    subject: servedSubject(served),
    message: `${container.name} ${port}/${proto} is published at ${placesText(places)}, but ${container.name} is paused: what connects hangs`,
    evidence: [{ source: `docker inspect ${container.name}`, text: 'State.Status: paused' }],
    fix: `docker unpause ${container.name}`,
    confirm: `docker inspect -f '{{.State.Status}}' ${container.name}`,
    containerIds: [container.id],
    ports: places,
  };
}

/** Whether an earlier finding about a served port cannot be judged now although its container runs on: its netns was not readable. */
export function servedUndecided(context: FindingContext, finding: Finding): boolean {
  const served = servedPorts(context).find(item => servedSubject(item).id === finding.subject.id);
  if (served?.container.startedAt === undefined || served.container.startedAt > Date.parse(finding.since)) return false;
  return behindTwice(served, context).kind === 'unknown';
}

/** A published port that no socket in the container serves, or whose container is paused. */
export const nothingListening: Detector = {
  code: 'nothing-listening',
  severity: 'warning',
  needs: ['docker'],
  undecided: servedUndecided,
  detect: context =>
    servedPorts(context).flatMap(served => {
      const { container, port, proto, places } = served;
      if (container.state === 'paused') return [pausedDraft(served)];
      const verdict = behindTwice(served, context);
      if (verdict.kind !== 'nothing') return [];
      const elsewhere = verdict.elsewhere.map(ownProcessText).slice(0, 4).join(', ');
      return [
        {
          subject: servedSubject(served),
          message: `${container.name} ${port}/${proto} is published at ${placesText(places)}, but nothing in the container listens there${elsewhere === '' ? '' : `; it listens on ${elsewhere}`}`,
          evidence: [
            {
              source: insideCommand(served),
              text: elsewhere === '' ? 'no listener in its netns at all' : `listeners in its netns: ${elsewhere}`,
            },
          ],
          fix: `Publish the port that the program listens on, or let it listen on ${port}/${proto} at 0.0.0.0`,
          confirm: insideCommand(served),
          containerIds: [container.id],
          ports: places,
        },
      ];
    }),
};
