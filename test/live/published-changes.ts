/** Changes of published ports, told by Docker's own inspect answers before and after: the witness of netdash's records. */
import type { PortChange } from '../../source/facts/schema.ts';
import type { Lab } from '../lab/lab.ts';

interface Side {
  hostIp: string;
  hostPort: number;
}

/** A change as Docker's answers show it, or as netdash told it; the sides are texts, IPv4 first. */
export interface Change {
  name: string;
  port: string;
  from: string;
  to: string;
  cause: PortChange['cause'];
}

/** By container port (`80/tcp`), the host side as text. */
export type Published = Record<string, string>;

const byAddress = (a: Side, b: Side): number =>
  Number(a.hostIp.includes(':')) - Number(b.hostIp.includes(':')) || (a.hostIp < b.hostIp ? -1 : 1);

const sides = (list: readonly Side[]): string =>
  list
    .toSorted(byAddress)
    .map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`)
    .join(', ');

/** What Docker says is published by a container. */
export async function publishedBy(lab: Lab, name: string): Promise<Published> {
  const { NetworkSettings } = await lab.inspect(name);
  return Object.fromEntries(
    Object.entries(NetworkSettings.Ports).map(([key, list]) => [
      key,
      sides((list ?? []).map(({ HostIp, HostPort }) => ({ hostIp: HostIp, hostPort: Number(HostPort) }))),
    ]),
  );
}

/** What changed between two answers of Docker: ports that are published both times, on other host ports. */
export function changesBetween(name: string, before: Published, after: Published, cause: Change['cause']): Change[] {
  return Object.entries(after).flatMap(([port, to]) => {
    const from = before[port] ?? '';
    return from === '' || to === '' || from === to ? [] : [{ name, port, from, to, cause }];
  });
}

/** Does something and says which changes it made to the ports of these containers. */
export async function changesBy(
  lab: Lab,
  names: readonly string[],
  cause: Change['cause'],
  act: () => Promise<unknown>,
): Promise<Change[]> {
  const before = await Promise.all(names.map(name => publishedBy(lab, name)));
  await act();
  const after = await Promise.all(names.map(name => publishedBy(lab, name)));
  return names.flatMap((name, index) => changesBetween(name, before[index]!, after[index]!, cause));
}

/** A record of netdash in the same words. */
export function changeTold({ containerName, containerPort, proto, from, to, cause }: PortChange): Change {
  return { name: containerName, port: `${containerPort}/${proto}`, from: sides(from), to: sides(to), cause };
}

/** Changes as sorted lines, to be compared. */
export const changeLines = (changes: readonly Change[]): string[] =>
  changes.map(({ name, port, from, to, cause }) => `${name} ${port}: ${from} → ${to} (${cause})`).sort();
