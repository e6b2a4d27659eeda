/** The netfilter rules in a container's netns, made ready for walking. */
import type { InsideReading } from '../../host/readings.ts';
import { isLinkLocal, isLoopback, isMulticast, sameSpan, type Span } from './address.ts';
import type { HookWorld } from './hooks.ts';
import { readyIpset } from './ipsets.ts';
import type { MatchWorld } from './matches.ts';
import { pidIn, type Node } from './nodes.ts';
import { readyRules, type Ruleset } from './ruleset.ts';

/**
 * The firewall in a netns in which somebody may have written rules; undefined when it has none that do anything.
 * @param inside where its rules were read, or why not; undefined: not read yet
 */
export function firewallInside(
  node: Node,
  inside: Pick<InsideReading, 'rules' | 'rulesReason'> | undefined,
): HookWorld | undefined {
  const { rules, rulesReason } = inside ?? {};
  const who = node.members.some(({ mayChangeRules }) => mayChangeRules)
    ? 'NET_ADMIN'
    : "Docker's, on its ingress network";
  const gap =
    rules && rulesReason === undefined
      ? undefined
      : `${node.name} may have rules of its own (${who}): ${rulesReason ?? 'not read yet'}`;
  const isBare = rules?.chains.every(chain => chain.policy !== 'drop' && chain.rules.length === 0) === true;
  if (isBare && gap === undefined) return undefined;
  const world = matchesInside(node, rules);
  const own = readyRules(rules ?? { chains: [], tools: [], sets: {} }, [], world);
  const described: Ruleset = {
    ...own,
    describe: (chain, rule) => {
      const decided = own.describe(chain, rule);
      return { ...decided, inside: node.name, ...pidIn(node), detail: `inside ${node.name}, ${decided.detail}` };
    },
  };
  return {
    rules: described,
    ...(gap !== undefined && { rulesGap: gap }),
    addresses: (device, family) =>
      (node.interfaces.find(({ name }) => name === device)?.addresses ?? [])
        .filter(({ address }) => address.family === family)
        .map(({ address, subnet }) => ({ address, subnet, scope: isLinkLocal(address) ? 'link' : 'global' })),
    fib: node.fib,
    kernel: { interfaces: {} },
    links: new Map(),
  };
}

function matchesInside(node: Node, rules: InsideReading['rules']): MatchWorld {
  const isOwn = (address: Span, device?: string) =>
    node.interfaces.some(
      item =>
        (device === undefined || item.name === device) &&
        item.addresses.some(own => own.address.family === address.family && sameSpan(own.address, address)),
    );
  return {
    typeOf: (address, device) => {
      if (isMulticast(address)) return 'multicast';
      return (isLoopback(address) && (device ?? 'lo') === 'lo') || isOwn(address, device) ? 'local' : 'unicast';
    },
    comesBack: ({ source, iif }) => {
      if (iif === 'lo') return 'yes';
      const way = node.fib.lookup({ destination: source });
      return way.kind === 'route' && way.route.reading.device === iif ? 'yes' : 'maybe';
    },
    ipset: name => readyIpset(name, rules?.ipsets, () => false),
  };
}
