import { inputVerdict } from '../walk/host-firewall.ts';
import type { DecidedBy } from '../walk/walk.ts';
import type { Container } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import {
  canWalk,
  fromText,
  isUnclear,
  mayLackRules,
  publishers,
  reachesOf,
  walkNeeds,
  worldOf,
  type Reach,
} from './reach.ts';
import { perBasis } from './reach-basis.ts';
import { placeText, uniquePorts } from './shared.ts';
import { shellWord } from '../shell-words.ts';

/** A port that is open, and what of INPUT reads as if it were not. */
interface Open {
  reach: Reach;
  closedBy: DecidedBy;
}

/** Whether somebody let it through on purpose: a rule of the administrator's, for some packets only. */
function isMeant({ author, text = '' }: DecidedBy): boolean {
  if (author === 'admin') return !/^-A \S+ -j |^(accept|return)$/.test(text);
  // ufw itself lets all new connections through where it does not filter what is forwarded (ufw-track-forward).
  return author === 'ufw' && /-[ds] |--dports? |--ctorigdst/.test(text);
}

function openOf(reach: Reach, context: FindingContext): Open[] {
  const { question, verdict } = reach;
  if (verdict.verdict !== 'reachable' || question.from.kind !== 'lan') return [];
  // What comes by docker-proxy passes INPUT, and obeys it.
  const forward = verdict.path.find(({ hop, ok }) => hop === 'FORWARD' && ok);
  if (!forward || verdict.path.some(({ hop }) => hop === 'INPUT')) return [];
  const told = inputVerdict(worldOf(context), { interface: question.from.interface, ...question.to });
  if (told.kind !== 'closed' || told.by.author === 'docker') return [];
  return forward.passedBy?.().some(isMeant) === true ? [] : [{ reach, closedBy: told.by }];
}

const openPorts = perBasis((container, context, basis) => {
  const open = reachesOf(container, context).flatMap(reach => openOf(reach, context));
  basis.isShown ||= open.length > 0;
  return open;
});

/** Who closes INPUT: where ufw or firewalld has its chains, the policy is theirs too. */
function firewallName({ author }: DecidedBy, { facts }: FindingContext): string {
  const known = (['ufw', 'firewalld'] as const).find(
    name => author === name || (facts.rules ?? []).some(rule => rule.author === name),
  );
  return known ?? "the host's firewall";
}

function draftOf(container: Container, open: readonly [Open, ...Open[]], context: FindingContext): FindingDraft {
  const ports = uniquePorts(
    open.map(({ reach: { port } }) => ({ proto: port.proto, address: port.hostIp, port: port.hostPort })),
  );
  const [{ reach, closedBy }] = open;
  const places = ports.map(({ address, port, proto }) => `${placeText(address, port)}/${proto}`).join(', ');
  const { address, port, proto } = reach.question.to;
  const tables = address.includes(':') ? 'ip6tables' : 'iptables';
  const from = reach.question.from.kind === 'lan' ? reach.question.from.interface : '';
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} publishes ${places}, which is open to ${fromText(reach.question)} although ${firewallName(closedBy, context)} reads as closed there (${closedBy.detail}): published ports are forwarded and never pass INPUT`,
    evidence: [
      { source: 'firewall rules', text: `a program of the host on that port would be stopped by ${closedBy.detail}` },
      ...open.slice(0, 5).map(each => ({
        source: 'firewall rules',
        text: `${fromText(each.reach.question)} to ${placeText(each.reach.question.to.address, each.reach.question.to.port)}/${each.reach.question.to.proto}: FORWARD ${each.reach.verdict.path.find(({ hop }) => hop === 'FORWARD')?.detail ?? ''}`,
      })),
    ],
    fix: `If it should be closed, publish it on 127.0.0.1, or: ${tables} -I DOCKER-USER -i ${shellWord(from)} -p ${proto} -m conntrack --ctorigdstport ${port} --ctdir ORIGINAL -j DROP`,
    confirm: `${tables} -nvL INPUT; ${tables} -nvL DOCKER-USER  # from another machine: nc -vz ${address} ${port}`,
    containerIds: [container.id],
    ports,
  };
}

/** A published port that the LAN reaches, although the host's firewall (INPUT, ufw, firewalld) lets nothing in on it. */
export const exposedPastFirewall: Detector = {
  code: 'exposed-past-firewall',
  severity: 'warning',
  needs: walkNeeds,
  undecided: (context, { containerIds }) => mayLackRules(context) || isUnclear(context, containerIds),
  detect: context =>
    canWalk(context)
      ? publishers(context).flatMap(container => {
          const [first, ...more] = openPorts(container, context);
          return first ? [draftOf(container, [first, ...more], context)] : [];
        })
      : [],
};
