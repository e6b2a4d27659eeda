import type { LinkReading } from '../../host/readings.ts';
import { shellWord } from '../shell-words.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { linkKey, saidBetween } from './earlier.ts';
import { isNotDockers, wasRaised } from './shared.ts';

/**
 * How far apart the two readings must be that show it, ms. A start that fails takes seconds on a busy host, and its veth is there
 * before Docker says that the container runs; what a dead daemon left stays for good, and can wait.
 */
const marginMs = 15_000;

/** Names that Docker gives: `veth` and 7 hex digits; `br-` and 12 of the network's id. */
const dockerVeth = /^veth[0-9a-f]{7}$/;
const dockerBridge = /^br-[0-9a-f]{12}$/;

/** Whether a link was there both before and after Docker was asked; without earlier readings, that is taken for granted. */
function wasThereAround(link: LinkReading, context: FindingContext): boolean {
  const { readings, earlier } = context;
  if (earlier === undefined) return true;
  const from = earlier.linksSince?.get(linkKey(link));
  const { at } = readings.links;
  return from !== undefined && at !== undefined && saidBetween('docker', from + marginMs, at, context);
}

/** Links that belong to nobody, by name: veths of Docker's on its bridges whose peer is in no running container, and Docker's bridges without a network. */
function orphans({ readings, facts }: FindingContext): { link: LinkReading; draft: FindingDraft }[] {
  const networks = readings.docker.value?.networks ?? [];
  return (readings.links.value?.links ?? []).flatMap(link => {
    if (link.kind === 'bridge' && dockerBridge.test(link.name)) {
      if (networks.some(({ id }) => link.name === `br-${id.slice(0, 12)}`)) return [];
      return [{ link, draft: bridgeDraft(link) }];
    }
    const row = facts.links.find(({ ifindex, veth }) => ifindex === link.ifindex && veth === link.name);
    const isDockers = row?.networkId !== undefined && dockerVeth.test(link.name) && link.peerNetnsId !== undefined;
    if (!isDockers || row.containerId !== undefined || row.unknown !== undefined || row.bridge === 'docker_gwbridge')
      return [];
    return [{ link, draft: vethDraft(link, row.network ?? '') }];
  });
}

const vethDraft = (link: LinkReading, network: string): FindingDraft => ({
  subject: { kind: 'link', id: `${link.ifindex}`, name: link.name },
  message: `${link.name} is a port of ${link.master ?? 'a bridge'} (network ${network}), but its other end is in no running container`,
  evidence: [
    {
      source: 'ip -d link',
      text: `${link.name} (ifindex ${link.ifindex}) master ${link.master}; peer ifindex ${link.peerIfindex} in netns id ${link.peerNetnsId}`,
    },
    { source: '/proc/PID/ns/net', text: 'that netns is none of a running container' },
  ],
  fix: `If no program uses it any more: ip link del ${shellWord(link.name)}`,
  confirm: `ip -d link show ${shellWord(link.name)}; ip netns list-id`,
  containerIds: [],
  ports: [],
});

const bridgeDraft = (link: LinkReading): FindingDraft => ({
  subject: { kind: 'link', id: `${link.ifindex}`, name: link.name },
  message: `${link.name} is named as a Docker bridge, but Docker has no network for it`,
  evidence: [
    { source: 'ip link', text: `${link.name} (ifindex ${link.ifindex}), ${link.operstate}` },
    { source: 'docker network ls', text: `no network with an id that begins with ${link.name.slice(3)}` },
  ],
  fix: `If no other daemon uses it: ip link del ${shellWord(link.name)}`,
  confirm: `docker network ls --no-trunc; ip addr show ${shellWord(link.name)}`,
  containerIds: [],
  ports: [],
});

/** A veth or a bridge of Docker's that belongs to nobody any more, as a daemon that was killed leaves them behind. */
export const orphanLink: Detector = {
  code: 'orphan-link',
  severity: 'warning',
  needs: ['docker', 'links'],
  undecided: ({ facts }, { subject }) =>
    facts.links.some(({ ifindex, unknown }) => `${ifindex}` === subject.id && unknown !== undefined),
  detect: context => {
    if (context.readings.docker.value === undefined || isNotDockers(context.readings.docker.value.engine)) return [];
    return orphans(context)
      .filter(({ link, draft }) => wasThereAround(link, context) || wasRaised('orphan-link', draft.subject.id, context))
      .map(({ draft }) => draft);
  },
};
