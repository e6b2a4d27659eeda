/** Which binding of one moment is which of another, and whether its port moved in between. */
import type { LedgerBinding } from './port-ledger.ts';

type Side = LedgerBinding['sides'][number];

/** Whether the number differs on an address that both have, or, with no address in common, at all. One side that comes or goes is no move. */
function hasMoved(from: readonly Side[], to: readonly Side[]): boolean {
  const common = from.filter(side => to.some(({ hostIp }) => hostIp === side.hostIp));
  if (common.length > 0)
    return common.some(
      side => !to.some(({ hostIp, hostPort }) => hostIp === side.hostIp && hostPort === side.hostPort),
    );
  const ports = new Set(from.map(({ hostPort }) => hostPort));
  return to.length > 0 && from.length > 0 && !to.some(({ hostPort }) => ports.has(hostPort));
}

const keyOf = ({ proto, containerPort, hostIp, request }: LedgerBinding): string =>
  `${proto}/${containerPort}/${hostIp}/${request}`;

/**
 * Pairs the bindings of two moments: those that stayed with themselves, then the rest of the same request in order of port.
 * @returns `moved`: what is mapped elsewhere now, before and after; `known`: what is to be remembered
 */
export function pairBindings(
  before: readonly LedgerBinding[],
  after: readonly LedgerBinding[],
): { moved: [LedgerBinding, LedgerBinding][]; known: LedgerBinding[] } {
  const moved: [LedgerBinding, LedgerBinding][] = [];
  const known: LedgerBinding[] = [];
  for (const key of new Set([...before, ...after].map(keyOf))) {
    const old = before.filter(binding => keyOf(binding) === key);
    const open: LedgerBinding[] = [];
    const asked = after.filter(binding => keyOf(binding) === key);
    for (const binding of asked.filter(({ sides }) => sides.length > 0)) {
      const same = old.findIndex(({ sides }) => !hasMoved(sides, binding.sides));
      if (same >= 0) old.splice(same, 1);
      else open.push(binding);
      known.push(binding);
    }
    for (const binding of open) {
      const from = old.shift();
      if (from !== undefined) moved.push([from, binding]);
    }
    // A binding that is asked for but not mapped at the moment keeps its last port.
    known.push(...old.slice(0, asked.filter(({ sides }) => sides.length === 0).length));
  }
  return { moved, known };
}
