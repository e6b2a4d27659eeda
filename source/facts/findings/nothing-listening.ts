import { byContainer, servedPorts, servedUndecided, type ServedPort } from './behind-port.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { insideCommand, placesText, servedText, socketsText } from './served-text.ts';
import { uniquePorts } from './shared.ts';
import { shellName } from '../shell-words.ts';

function pausedDrafts(context: FindingContext): FindingDraft[] {
  const served = servedPorts(context).filter(({ container }) => container.state === 'paused');
  const paused = new Map(
    served.map(({ container }) => [container, served.filter(item => item.container === container)] as const),
  );
  return [...paused].map(([container, ports]) => ({
    subject: { kind: 'container' as const, id: container.id, name: container.name },
    message: `${container.name} publishes ${servedText(ports)} at ${placesText(ports)}, but is paused: what connects hangs`,
    evidence: [{ source: `docker inspect ${shellName(container)}`, text: 'State.Status: paused' }],
    fix: `docker unpause ${shellName(container)}`,
    confirm: `docker inspect -f '{{.State.Status}}' ${shellName(container)}`,
    containerIds: [container.id],
    ports: uniquePorts(ports.flatMap(({ places }) => places)),
  }));
}

/** Published ports that no socket in the container serves, or whose container is paused. */
export const nothingListening: Detector = {
  code: 'nothing-listening',
  severity: 'warning',
  needs: ['docker'],
  undecided: servedUndecided,
  detect: context => [
    ...pausedDrafts(context),
    ...byContainer(context, 'nothing').map(({ container, cases }) => {
      const served: ServedPort[] = cases.map(item => item.served);
      const sockets = cases[0]?.verdict.elsewhere ?? [];
      const elsewhere = socketsText(sockets);
      const bound = sockets.find(({ device, port }) => device !== undefined && port === served[0]?.port);
      const command = served[0] === undefined ? '' : insideCommand(served[0]);
      return {
        subject: { kind: 'container' as const, id: container.id, name: container.name },
        message: `${container.name} publishes ${servedText(served)} at ${placesText(served)}, but nothing in it listens there; it listens on ${elsewhere === '' ? 'nothing at all' : elsewhere}`,
        evidence: [
          {
            source: command,
            text: elsewhere === '' ? 'no listener in its netns' : `listeners in its netns: ${elsewhere}`,
          },
        ],
        fix: bound
          ? `Let the program listen on every interface: it is bound to ${bound.device} (SO_BINDTODEVICE), and what Docker sends comes by another`
          : 'Publish the port that the program listens on, or let the program listen on the published one at 0.0.0.0',
        confirm: command,
        containerIds: [container.id],
        ports: uniquePorts(served.flatMap(({ places }) => places)),
      };
    }),
  ],
};
