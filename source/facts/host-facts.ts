/** Facts of the machine and of the daemon: the header, the state of the sources, and the host's own interfaces. */
import {
  type LinkReading,
  type NetfilterReading,
  type NetworkReading,
  type Reading,
  type Readings,
  sourceNames,
} from '../host/readings.ts';
import { compact } from './containers.ts';
import { makesNoRules } from './engine.ts';
import { networksByBridge } from './link-map.ts';
import { isRunning } from './netns.ts';
import type { HostFacts, Interface, Link, Source } from './schema.ts';

/** What the snapshot says of netdash's own standing on the machine: from the `Host` that was read. */
export interface HostContext {
  kind: 'live' | 'recording';
  /** What the operator calls the machine. */
  name: string;
  /** Effective user id there. */
  uid: number;
  /** Where Docker was asked. */
  dockerEndpoint: string;
}

/** State and age of every source. A source that was not asked yet counts as failed: nothing is known of it. */
export function sourceFacts(readings: Readings, now: number): Record<string, Source> {
  const sources: Record<string, Source> = {};
  for (const name of sourceNames) {
    const { state, reason, at, value, since } = readings[name] as Reading<unknown>;
    sources[name] = compact({
      state: state === 'pending' ? 'failed' : state,
      reason:
        state === 'pending' ? (reason ?? 'not read yet') : state === 'ok' ? undefined : (reason ?? 'no reason given'),
      ageMs: at === undefined || value === undefined ? null : Math.max(0, now - at),
      waitingMs:
        state === 'pending' && since !== undefined ? Math.floor(Math.max(0, now - since) / 1000) * 1000 : undefined,
    });
  }
  return sources;
}

/** Why a source has nothing, in one line. */
export const nothingFrom = (reading: Reading<unknown>): string =>
  reading.reason ?? (reading.state === 'pending' ? 'not read yet' : 'no reason given');

/** Policy of the iptables FORWARD chain of a family; a drop in either of two backends drops. */
function forwardPolicy(netfilter: NetfilterReading | undefined, family: 'ip' | 'ip6'): 'accept' | 'drop' | null {
  const policies = (netfilter?.chains ?? [])
    .filter(chain => chain.family === family && chain.table === 'filter' && chain.name === 'FORWARD')
    .map(chain => chain.policy);
  return policies.includes('drop') ? 'drop' : policies.includes('accept') ? 'accept' : null;
}

/** Docker's firewall backend: as it says (28.1 and later), else as its chains show. */
function firewallBackend(readings: Readings): { value: string | null; reason?: string } {
  const engine = readings.docker.value?.engine;
  if (!engine) return { value: null, reason: nothingFrom(readings.docker) };
  if (engine.firewallBackend) return { value: engine.firewallBackend };
  if (makesNoRules(engine)) return { value: 'none' };
  if (engine.local === false) return { value: null, reason: 'the daemon runs on another machine and does not say' };
  // Docker's chains, where there are any, are another daemon's.
  if (engine.podman) return { value: null, reason: 'Podman does not say which it uses' };
  if (engine.rootless) return { value: null, reason: "rootless Docker's rules are in another network namespace" };
  const netfilter = readings.netfilter.value;
  if (!netfilter) return { value: null, reason: nothingFrom(readings.netfilter) };
  if (netfilter.chains.some(chain => chain.table === 'docker-bridges')) return { value: 'nftables' };
  const hasChains = netfilter.chains.some(chain => chain.name === 'DOCKER' && chain.backend !== 'nft');
  if (hasChains) return { value: 'iptables' };
  const incomplete = readings.netfilter.state === 'ok' ? undefined : readings.netfilter.reason;
  return { value: null, reason: incomplete ?? "Docker does not say, and none of its chains is in this host's tables" };
}

/** The facts of the header. */
export function hostFacts(readings: Readings, context: HostContext): HostFacts {
  const docker = readings.docker.value;
  const engine = docker?.engine;
  const kernel = readings.kernel.value;
  const vitals = readings.vitals.value;
  const here = engine?.local === true ? engine : undefined;
  const unknown: Record<string, string> = {};

  const backend = firewallBackend(readings);
  if (backend.reason !== undefined) unknown.firewallBackend = backend.reason;
  const ipForward = { v4: kernel?.ipForward ?? null, v6: kernel?.ipv6Forward ?? null };
  if (ipForward.v4 === null || ipForward.v6 === null) {
    unknown.ipForward = kernel ? 'not to be read on this machine' : nothingFrom(readings.kernel);
  }
  const netfilter = readings.netfilter;
  const policy = { v4: forwardPolicy(netfilter.value, 'ip'), v6: forwardPolicy(netfilter.value, 'ip6') };
  if ((policy.v4 === null || policy.v6 === null) && (!netfilter.value || netfilter.state !== 'ok')) {
    unknown.forwardPolicy = nothingFrom(netfilter);
  }
  if (!docker) unknown.docker = nothingFrom(readings.docker);
  else if (engine?.local === undefined) unknown.local = engine?.localReason ?? 'could not be told';

  return compact({
    name: (engine?.local === false && !engine.networkHere && engine.name) || context.name,
    kind: context.kind,
    os: vitals?.os ?? here?.operatingSystem,
    kernel: vitals?.kernel ?? here?.kernelVersion,
    root: context.uid === 0,
    dockerEndpoint: context.dockerEndpoint,
    docker: engine
      ? {
          id: engine.id,
          name: engine.name,
          version: engine.version,
          apiVersion: engine.apiVersion,
          rootless: engine.rootless,
          ...(engine.podman ? { podman: true } : {}),
          swarm: engine.swarm,
          local: engine.local ?? null,
        }
      : null,
    firewallBackend: backend.value,
    ipForward,
    forwardPolicy: policy,
    containersRunning: docker ? docker.containers.filter(isRunning).length : null,
    containersTotal: docker ? docker.containers.length : null,
    localPortRange: kernel?.localPortRange,
    loadAverage: vitals?.loadAverage,
    memory: vitals?.memory,
    unknown: Object.keys(unknown).length > 0 ? unknown : undefined,
  });
}

/**
 * The host's own interfaces: all but the veths that lead to containers, hang on a Docker bridge, or may lead to a container,
 * as one without an address of the host (beyond the link-local one that every interface has) may.
 * @param networks none when Docker's networks are not this host's
 */
export function interfaceFacts(
  links: readonly LinkReading[],
  rows: readonly Link[],
  networks: readonly NetworkReading[],
  nics: Readonly<Record<string, { speedMbit: number | null }>>,
): Interface[] {
  const byBridge = networksByBridge(networks);
  const ofContainers = new Set(
    rows.filter(row => row.containerId !== undefined || row.networkId !== undefined).map(row => row.ifindex),
  );
  const mayLead = new Set(rows.filter(row => row.unknown?.containerId !== undefined).map(row => row.ifindex));
  return links
    .filter(
      link =>
        !ofContainers.has(link.ifindex) &&
        !(mayLead.has(link.ifindex) && link.addresses.every(({ scope }) => scope === 'link')),
    )
    .map(link =>
      compact({
        name: link.name,
        ifindex: link.ifindex,
        kind: link.kind ?? (link.name === 'lo' ? 'loopback' : 'physical'),
        mac: link.mac,
        mtu: link.mtu,
        up: link.up,
        operstate: link.operstate,
        master: link.master,
        addresses: link.addresses.map(({ family, address, peer, prefixLength }) =>
          compact({ family, address, peer, prefixLength }),
        ),
        networkId: link.kind === 'bridge' ? byBridge.get(link.name)?.id : undefined,
        speedMbit: nics[link.name]?.speedMbit ?? undefined,
      }),
    );
}
