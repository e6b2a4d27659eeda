import { behindTwice, servedPorts, servedSubject } from './behind-port.ts';
import type { Detector } from './detector.ts';
import { insideCommand, servedUndecided } from './nothing-listening.ts';
import { ownProcessText, placesText } from './served-text.ts';

/** A published port whose only listeners in the container are on loopback: what Docker sends to the container's address is refused. */
export const listenerLoopbackOnly: Detector = {
  code: 'listener-loopback-only',
  severity: 'warning',
  needs: ['docker'],
  undecided: servedUndecided,
  detect: context =>
    servedPorts(context).flatMap(served => {
      const { container, port, proto, places } = served;
      if (container.state === 'paused') return [];
      const verdict = behindTwice(served, context);
      if (verdict.kind !== 'loopback') return [];
      const listeners = verdict.listeners.map(ownProcessText).join(', ');
      return [
        {
          subject: servedSubject(served),
          message: `${container.name} ${port}/${proto} is published at ${placesText(places)}, but in the container only ${listeners} listens: unreachable from outside it`,
          evidence: [{ source: insideCommand(served), text: listeners }],
          fix: 'Let the program listen on 0.0.0.0 (or ::) inside the container',
          confirm: insideCommand(served),
          containerIds: [container.id],
          ports: places,
        },
      ];
    }),
};
