import { lanInterfaces } from '../walk/subjects.ts';
import { walk } from '../walk/walk.ts';
import type { Container, PublishedPort } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { canWalk, mayLackRules, publishers, walkNeeds, worldOf } from './reach.ts';
import { perBasis } from './reach-basis.ts';
import { uniquePorts } from './shared.ts';

/** The interface from whose LAN a port on loopback can be reached: a neighbour that sends to 127.0.0.1 by this host's MAC. */
function openFrom({ hostIp, hostPort, proto }: PublishedPort, context: FindingContext): string | undefined {
  if (!hostIp.startsWith('127.') || proto === 'sctp') return undefined;
  const world = worldOf(context);
  return lanInterfaces(context.facts).find(({ name }) => {
    const to = { address: hostIp, port: hostPort, proto };
    return walk(world, { from: { kind: 'lan', interface: name }, to }).verdict === 'reachable';
  })?.name;
}

const openPorts = perBasis((container, context) =>
  container.publishedPorts.flatMap(port => {
    const name = openFrom(port, context);
    return name === undefined ? [] : [{ port, name }];
  }),
);

function draftOf(container: Container, open: readonly { port: PublishedPort; name: string }[]): FindingDraft {
  const ports = uniquePorts(open.map(({ port }) => ({ proto: port.proto, address: port.hostIp, port: port.hostPort })));
  const [first] = open;
  const places = ports.map(({ address, port, proto }) => `${address}:${port}/${proto}`).join(', ');
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} publishes ${places} for this host only, but a neighbour on the LAN of ${first?.name ?? ''} can reach it too: the DNAT rule takes what comes for 127.0.0.1 from outside`,
    evidence: [
      {
        source: 'iptables -t nat -S DOCKER',
        text: 'a packet to 127.0.0.1 that comes in by the LAN is translated before the kernel would refuse it, and no rule of raw PREROUTING drops it',
      },
    ],
    fix: 'Upgrade to Docker 28 or later, or: iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP',
    confirm: 'iptables -t raw -S PREROUTING',
    containerIds: [container.id],
    ports,
  };
}

/** A port that is published on 127.0.0.1 and can be reached by neighbours on the same link (Docker before 28; moby#45610). */
export const loopbackExposed: Detector = {
  code: 'loopback-exposed',
  severity: 'warning',
  needs: walkNeeds,
  undecided: mayLackRules,
  detect: context =>
    canWalk(context)
      ? publishers(context).flatMap(container => {
          const open = openPorts(container, context);
          return open.length > 0 ? [draftOf(container, open)] : [];
        })
      : [],
};
