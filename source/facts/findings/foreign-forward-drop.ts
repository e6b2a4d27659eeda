import type { DecidedBy } from '../walk/walk.ts';
import type { Container } from '../schema.ts';
import type { Detector, FindingDraft } from './detector.ts';
import { canWalk, isUnclear, publishers, reachesOf, walkNeeds } from './reach.ts';
import { uniquePorts } from './shared.ts';
import { areNftNames } from '../shell-words.ts';

interface Victims {
  decidedBy: DecidedBy;
  containers: Set<Container>;
  ports: FindingDraft['ports'];
}

const tableOf = ({ family, table, chain }: DecidedBy): string => `${family ?? ''} ${table ?? ''} ${chain ?? ''}`;

/** Tables in which Docker has its own forward rules, and where users are told to put theirs. */
const isOwnTable = ({ family, table = '' }: DecidedBy): boolean =>
  (family !== 'inet' && table === 'filter') || table.startsWith('docker-') || table === 'raw' || table === 'nat';

/**
 * Another table's chain on the forward hook drops what Docker's rules let through. An accept ends only its own base chain,
 * a drop is final (nf_tables): no rule of Docker's can help against it.
 */
export const foreignForwardDrop: Detector = {
  code: 'foreign-forward-drop',
  severity: 'error',
  needs: walkNeeds,
  undecided: (context, { containerIds }) => isUnclear(context, containerIds),
  detect: context => {
    if (!canWalk(context)) return [];
    const found = new Map<string, Victims>();
    const forwards = new Set(
      (context.facts.rules ?? [])
        .filter(({ hook }) => hook === 'forward')
        .map(({ family, table }) => `${family} ${table}`),
    );
    for (const container of publishers(context)) {
      for (const { port, verdict } of reachesOf(container, context)) {
        const { decidedBy } = verdict;
        if (verdict.verdict !== 'blocked' || !decidedBy || (decidedBy.kind !== 'rule' && decidedBy.kind !== 'policy'))
          continue;
        if (isOwnTable(decidedBy) || decidedBy.author === 'docker') continue;
        // The walk ended at the forward hook, not on the way in or out.
        if (verdict.path.at(-1)?.hop !== 'FORWARD' || !forwards.has(`${decidedBy.family} ${decidedBy.table}`)) continue;
        const key = tableOf(decidedBy);
        const victims = found.get(key) ?? { decidedBy, containers: new Set(), ports: [] };
        found.set(key, victims);
        victims.containers.add(container);
        victims.ports.push({ proto: port.proto, address: port.hostIp, port: port.hostPort });
      }
    }
    return [...found].map(([key, { decidedBy, containers, ports }]): FindingDraft => {
      const names = [...containers].map(({ name }) => name);
      return {
        subject: { kind: 'rule', id: key, name: key },
        message: `${key} drops what Docker forwards to ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}: ${decidedBy.detail}`,
        evidence: [{ source: 'nft list ruleset', text: decidedBy.detail }],
        fix: `Accept the traffic of Docker's bridges in ${key} too, or take its policy of drop away: an accept in Docker's own chains does not count there.`,
        confirm: areNftNames(...key.split(' ')) ? `nft -a list chain ${key}` : 'nft -a list ruleset',
        containerIds: [...containers].map(({ id }) => id),
        ports: uniquePorts(ports),
      };
    });
  },
};
