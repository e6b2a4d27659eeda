import type { LinkReading } from '../../host/readings.ts';
import type { Finding } from '../schema.ts';
import { shellWord } from '../shell-words.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { linkKey, saidBetween } from './earlier.ts';
import { proxiesOf } from './other-daemons.ts';
import { isNotDockers, wasRaised } from './shared.ts';

/**
 * How far apart the two readings must be that show it, ms. A start that fails takes seconds on a busy host, and its veth is there
 * before Docker says that the container runs; what a dead daemon left stays for good, and can wait.
 */
export const orphanMarginMs = 15_000;

/** Names that Docker gives: `veth` and 7 hex digits; `br-` and 12 of the network's id. */
const dockerVeth = /^veth[0-9a-f]{7}$/;
const dockerBridge = /^br-[0-9a-f]{12}$/;

/**
 * Whether a link is certain to be older than the margin although it was seen only once: the kernel numbers links upwards, so a lower
 * index than that of a link that a container got when it started, and has had since, is older than that start.
 */
function isKnownOld(ifindex: number, { readings, facts }: Pick<FindingContext, 'readings' | 'facts'>): boolean {
  const { at } = readings.links;
  if (at === undefined) return false;
  return (readings.docker.value?.containers ?? []).some(({ id, pid, startedAt, networkMode }) => {
    if (pid === 0 || startedAt === undefined || startedAt > at - orphanMarginMs) return false;
    const [own, ...others] = facts.links.filter(({ containerId }) => containerId === id);
    // What was connected while it ran may be younger.
    const mode = networkMode === 'default' ? 'bridge' : networkMode;
    const isFirst = own !== undefined && others.length === 0 && (own.network === mode || own.networkId === mode);
    return isFirst && own.ifindex > ifindex;
  });
}

/** What a look has found and read. */
export interface OrphanLook {
  findings: readonly Finding[];
  context: Pick<FindingContext, 'readings' | 'facts'>;
}

const orphansOf = ({ findings }: OrphanLook): Finding[] => findings.filter(({ code }) => code === orphanLink.code);

/** Those of the orphans found by a single look that may be what a start or an end is just leaving behind. */
export function perhapsPassing(look: OrphanLook): Finding[] {
  return orphansOf(look).filter(({ subject }) => !isKnownOld(Number(subject.id), look.context));
}

/** The findings of a single look without the orphans that may pass, save those that a later look, a margin after it, found again. */
export function withoutPassing(first: OrphanLook, later?: OrphanLook): Finding[] {
  const isLater = (name: 'docker' | 'links'): boolean => {
    const { at = Infinity } = first.context.readings[name];
    return (later?.context.readings[name].at ?? 0) >= at + orphanMarginMs;
  };
  const again = later && isLater('docker') && isLater('links') ? orphansOf(later) : [];
  const passing = new Set(
    perhapsPassing(first).filter(
      ({ id, subject }) => !again.some(other => other.id === id && other.subject.name === subject.name && !other.stale),
    ),
  );
  return first.findings.filter(finding => !passing.has(finding));
}

/** Whether a link was there both before and after Docker was asked; without earlier readings, that is left to `withoutPassing`. */
function wasThereAround(link: LinkReading, context: FindingContext): boolean {
  const { readings, earlier } = context;
  if (earlier === undefined) return true;
  const from = earlier.linksSince?.get(linkKey(link));
  const { at } = readings.links;
  return from !== undefined && at !== undefined && saidBetween('docker', from + orphanMarginMs, at, context);
}

/** Links that belong to nobody, by name: veths of Docker's on its bridges whose peer is in no running container, and Docker's bridges without a network. */
function orphans(context: FindingContext): { link: LinkReading; draft: FindingDraft }[] {
  const { readings, facts } = context;
  const networks = readings.docker.value?.networks ?? [];
  const hasOthers = proxiesOf(context).foreign.length > 0;
  return (readings.links.value?.links ?? []).flatMap(link => {
    if (link.kind === 'bridge' && dockerBridge.test(link.name)) {
      // It may be the network of another daemon.
      if (hasOthers || networks.some(({ id }) => link.name === `br-${id.slice(0, 12)}`)) return [];
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
