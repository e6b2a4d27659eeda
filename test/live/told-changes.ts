/** Port changes as Docker's own words before and after show them, to compare with what netdash tells. */
import assert from 'node:assert/strict';
import type { PortChange } from '../../source/facts/schema.ts';
import type { Lab } from '../lab/lab.ts';
import type { Watch } from './watching.ts';

/** What Docker itself says of the published ports: by container port, the host side of each address. */
type Published = Record<string, { hostIp: string; hostPort: number }[]>;

async function publishedBy(lab: Lab, name: string): Promise<Published> {
  const { NetworkSettings } = await lab.inspect(name);
  const published: Published = {};
  for (const [key, list] of Object.entries(NetworkSettings.Ports)) {
    published[key] = (list ?? [])
      .map(({ HostIp, HostPort }) => ({ hostIp: HostIp, hostPort: Number(HostPort) }))
      .sort(byAddress);
  }
  return published;
}

const byAddress = (a: { hostIp: string }, b: { hostIp: string }): number =>
  Number(a.hostIp.includes(':')) - Number(b.hostIp.includes(':')) || (a.hostIp < b.hostIp ? -1 : 1);

/** A change as the test expects it and as netdash told it. */
export interface Told {
  name: string;
  port: string;
  from: string;
  to: string;
  cause: PortChange['cause'];
}

const sides = (list: readonly { hostIp: string; hostPort: number }[]): string =>
  list
    .toSorted(byAddress)
    .map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`)
    .join(', ');

/** The changes that netdash has told so far. */
export const told = (watch: Watch): Told[] =>
  watch.of('port-changed').map(({ portChange }) => {
    assert.ok(portChange);
    return {
      name: portChange.containerName,
      port: `${portChange.containerPort}/${portChange.proto}`,
      from: sides(portChange.from),
      to: sides(portChange.to),
      cause: portChange.cause,
    };
  });

/** Does something and says which changes of ports it made, going by Docker's own words before and after. */
export async function changes(
  lab: Lab,
  names: readonly string[],
  cause: PortChange['cause'],
  act: () => Promise<unknown>,
): Promise<Told[]> {
  const before = await Promise.all(names.map(name => publishedBy(lab, name)));
  await act();
  const records: Told[] = [];
  for (const [index, name] of names.entries()) {
    const after = await publishedBy(lab, name);
    for (const [port, to] of Object.entries(after)) {
      const from = before[index]![port] ?? [];
      if (from.length === 0 || to.length === 0 || sides(from) === sides(to)) continue;
      records.push({ name, port, from: sides(from), to: sides(to), cause });
    }
  }
  return records;
}

/** One line each, sorted, for comparing. */
export const text = (records: readonly Told[]): string[] =>
  records.map(({ name, port, from, to, cause }) => `${name} ${port}: ${from} → ${to} (${cause})`).sort();
