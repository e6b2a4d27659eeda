/** Port changes as Docker's own words before and after show them, to compare with what netdash tells. */
import type { NetdashEvent, PortChange } from '../../source/facts/schema.ts';
import type { Lab } from '../lab/lab.ts';

interface Side {
  hostIp: string;
  hostPort: number;
}

/** A change as Docker's answers show it, or as netdash told it; the sides are texts, IPv4 first. */
export interface Told {
  name: string;
  port: string;
  from: string;
  to: string;
  cause: PortChange['cause'];
}

/** By container port (`80/tcp`), the host side as text; empty where the port is not published now. */
export type Published = Record<string, string>;

const byAddress = (a: Side, b: Side): number =>
  Number(a.hostIp.includes(':')) - Number(b.hostIp.includes(':')) || (a.hostIp < b.hostIp ? -1 : 1);

const sides = (list: readonly Side[]): string =>
  list
    .toSorted(byAddress)
    .map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`)
    .join(', ');

/** What Docker itself says is published by a container. */
export async function publishedBy(lab: Lab, name: string): Promise<Published> {
  const { NetworkSettings } = await lab.inspect(name);
  return Object.fromEntries(
    Object.entries(NetworkSettings.Ports).map(([key, list]) => [
      key,
      sides((list ?? []).map(({ HostIp, HostPort }) => ({ hostIp: HostIp, hostPort: Number(HostPort) }))),
    ]),
  );
}

/** The changes between two such answers: of ports that are published both times, on other host ports. */
export function changesBetween(name: string, before: Published, after: Published, cause: Told['cause']): Told[] {
  return Object.entries(after).flatMap(([port, to]) => {
    const from = before[port] ?? '';
    return from === '' || to === '' || from === to ? [] : [{ name, port, from, to, cause }];
  });
}

/** Does something and says which changes of ports it made, going by Docker's own words before and after. */
export async function changes(
  lab: Lab,
  names: readonly string[],
  cause: Told['cause'],
  act: () => Promise<unknown>,
): Promise<Told[]> {
  const before = await Promise.all(names.map(name => publishedBy(lab, name)));
  await act();
  const after = await Promise.all(names.map(name => publishedBy(lab, name)));
  return names.flatMap((name, index) => changesBetween(name, before[index]!, after[index]!, cause));
}

/** The changes that netdash has told so far. */
export const told = ({ events }: { readonly events: readonly NetdashEvent[] }): Told[] =>
  events.flatMap(({ portChange }) => {
    if (portChange === undefined) return [];
    const { containerName, containerPort, proto, from, to, cause } = portChange;
    return [{ name: containerName, port: `${containerPort}/${proto}`, from: sides(from), to: sides(to), cause }];
  });

/** One line each, sorted, for comparing. */
export const text = (records: readonly Told[]): string[] =>
  records.map(({ name, port, from, to, cause }) => `${name} ${port}: ${from} → ${to} (${cause})`).sort();
