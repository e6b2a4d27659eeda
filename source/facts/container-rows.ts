/** The rows of all containers, of which only those are made again whose own parts have changed. */
import type { ContainerReading, NetworkReading } from '../host/readings.ts';
import { containerFacts, type ContainerInput } from './containers.ts';
import type { Container } from './schema.ts';
import { memo, sameItems, type Made } from './sharing.ts';

/** The rows, and what each was made of. */
export interface ContainerRows {
  rows: Container[];
  made: Made<string, Container>;
}

/** What the rows are made from, beside the containers. */
export interface RowsInput extends ContainerInput {
  networks: readonly NetworkReading[];
  /** The same object as long as all containers have the ids and names that they had. */
  names: unknown;
}

/** All that the row of a container rests on; undefined when that cannot be said in few words. */
function inputsOf(container: ContainerReading, input: RowsInput): unknown[] | undefined {
  const { id } = container;
  const netns = input.netns.byContainer.get(id);
  // What others in the same netns say counts too, and which of them was read last.
  if (container.networkMode.startsWith('container:') || (netns && netns.members.length > 1)) return undefined;
  const reading = input.inside[id];
  const inputs: unknown[] = [
    container,
    netns,
    netns && input.linkMap.ends.get(netns),
    reading?.value,
    reading?.reason,
    input.networks,
    input.names,
    input.withoutHost,
    input.withoutLinks,
    input.rootless,
  ];
  if (input.netns.inHostNetns.has(id)) {
    const { hostListeners } = input;
    inputs.push('reason' in hostListeners ? hostListeners.reason : hostListeners);
  }
  for (const { processes } of reading?.value?.listeners ?? []) {
    const [opener] = processes ?? [];
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
  const made = new Map<string, { inputs: readonly unknown[]; item: Container }>();
  const remember = memo(before?.made, made);
  const rows = containers.map(container =>
    // An object that nothing else is: made again each time.
    remember(container.id, inputsOf(container, input) ?? [{}], () => containerFacts(container, input)),
  );
  return { rows: sameItems(before?.rows, rows), made };
}
