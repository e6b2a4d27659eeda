import { byContainer, servedUndecided } from './behind-port.ts';
import type { Detector } from './detector.ts';
import { insideCommand, placesText, servedText, socketsText } from './served-text.ts';
import { uniquePorts } from './shared.ts';

/** Published ports whose only listeners in the container are on loopback: what Docker sends to the container's address is refused. */
export const listenerLoopbackOnly: Detector = {
  code: 'listener-loopback-only',
  severity: 'warning',
  needs: ['docker'],
  undecided: servedUndecided,
  detect: context =>
    byContainer(context, 'loopback').map(({ container, cases }) => {
      const served = cases.map(item => item.served);
      const listeners = socketsText(cases.flatMap(({ verdict }) => verdict.listeners));
      const command = served[0] === undefined ? '' : insideCommand(served[0]);
      return {
        subject: { kind: 'container' as const, id: container.id, name: container.name },
        message: `${container.name} publishes ${servedText(served)} at ${placesText(served)}, but listens only on ${listeners} inside: unreachable from outside the container`,
        evidence: [{ source: command, text: listeners }],
        fix: 'Let the program listen on 0.0.0.0 (or ::) inside the container',
        confirm: command,
        containerIds: [container.id],
        ports: uniquePorts(served.flatMap(({ places }) => places)),
      };
    }),
};
