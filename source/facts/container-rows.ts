/** The rows of all containers, of which only those are made again whose own parts have changed. */
import type { ContainerReading, NetworkReading } from '../host/readings.ts';
import { containerFacts, type ContainerInput } from './containers.ts';
import type { Container } from './schema.ts';
import { haveSameItems, reuse, sameItems } from './sharing.ts';

/** The rows, and what each was made of. */
export interface ContainerRows {
  rows: Container[];
  made: ReadonlyMap<string, MadeRow>;
  /** What all of them were made of. */
  shared: readonly unknown[];
}

interface MadeRow {
  /** Undefined where these are too many things to list. */
  inputs: readonly unknown[] | undefined;
  row: Container;
}

/** What the rows are made from, beside the containers. */
export interface RowsInput extends ContainerInput {
  networks: readonly NetworkReading[];
  /** The same object as long as all containers have the ids and names that they had. */
  names: unknown;
}

/** What the rows of all containers rest on. */
const sharedInputs = (input: RowsInput): unknown[] => [
  input.networks,
  input.names,
  input.withoutHost,
  input.withoutLinks,
  input.rootless,
];

/** What the row of one container rests on beside that; undefined when that cannot be said in few words. */
function inputsOf(container: ContainerReading, input: RowsInput): unknown[] | undefined {
  const { id } = container;
  const netns = input.netns.byContainer.get(id);
  // What others in the same netns say counts too, and which of them was read last.
  if (container.networkMode.startsWith('container:') || (netns && netns.members.length > 1)) return undefined;
  const reading = input.inside[id];
  const ends = netns && input.linkMap.ends.get(netns);
  const inputs: unknown[] = [container, netns, ends, reading?.value, reading?.reason];
  if (input.netns.inHostNetns.has(id)) {
    const { hostListeners } = input;
    inputs.push('reason' in hostListeners ? hostListeners.reason : hostListeners);
  }
  for (const { processes } of reading?.value?.listeners ?? []) {
    const opener = processes?.[0];
    if (opener) inputs.push(input.owners.processes[opener.pid]);
  }
  return inputs;
}

/** The rows of all containers, in Docker's order; the same list when all of them are as before. */
export function containerRows(
  containers: readonly ContainerReading[],
  input: RowsInput,
  before: ContainerRows | undefined,
): ContainerRows {
  const made = new Map<string, MadeRow>();
  const shared = sharedInputs(input);
  const isShared = haveSameItems(before?.shared, shared);
  const rows = containers.map((container): Container => {
    const last = before?.made.get(container.id);
    const inputs = inputsOf(container, input);
    const isDone = last && isShared && inputs && haveSameItems(last.inputs, inputs);
    const entry = isDone ? last : { inputs, row: reuse(last?.row, containerFacts(container, input)) };
    made.set(container.id, entry);
    return entry.row;
  });
  return { rows: sameItems(before?.rows, rows), made, shared };
}
