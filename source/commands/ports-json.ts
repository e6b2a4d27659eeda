/** The JSON of `netdash ports --json`: a flat list, for those who want ports and nothing else. */
import * as v from 'valibot';
import { PortOwnerSchema, ProtoSchema, SourceSchema, type Snapshot } from '../facts/schema.ts';
import { exposedReason } from '../present/exposed-table.ts';
import { exposureOfRow } from '../present/port-reach.ts';
import type { PortRow } from '../present/port-table.ts';
import { exposureReason } from '../present/reach.ts';

const about = <T extends v.GenericSchema>(schema: T, description: string): T =>
  v.pipe(schema, v.description(description)) as unknown as T;

/** One port. */
export const PortSchema = v.object({
  netns: about(v.picklist(['host', 'container']), "Where it is: the host's netns, or a container's own."),
  kind: about(
    v.picklist(['listener', 'published', 'service', 'unknown']),
    'listener: a socket listens there; published: Docker maps it and no socket of this host shows; service: swarm publishes it; unknown: what is there could not be read, `reason` says why.',
  ),
  proto: about(v.nullable(ProtoSchema), 'null for kind unknown.'),
  address: about(v.string(), 'The local address; 0.0.0.0 and :: are wildcards.'),
  port: about(v.nullable(v.number()), 'null for kind unknown.'),
  v6only: v.optional(about(v.nullable(v.boolean()), 'IPv6 only: whether it leaves IPv4 alone; null when unknown.')),
  device: v.optional(
    about(
      v.string(),
      'The interface that a listener is bound to (SO_BINDTODEVICE), in the netns that it is in: it takes nothing that comes by another.',
    ),
  ),
  owner: PortOwnerSchema,
  containerId: v.optional(about(v.string(), 'The container in whose netns it is, or that it leads to.')),
  pid: about(v.nullable(v.number()), 'The process that holds it.'),
  process: about(v.nullable(v.string()), 'Name of that process.'),
  unit: v.optional(about(v.string(), 'The systemd unit of that process.')),
  target: v.optional(
    about(v.object({ address: v.string(), port: v.number() }), 'Where it leads inside the container.'),
  ),
  ephemeral: v.optional(about(v.boolean(), 'Docker picked the host port.')),
  exposure: about(v.string(), 'all, loopback, routed, container, or the one address that it is bound to.'),
  reach: v.optional(
    about(
      v.object({
        verdict: about(
          v.picklist(['reachable', 'blocked', 'local-only', 'nothing-listening', 'unknown', 'apart']),
          'reachable: somebody off this host is answered; apart: no interface leads from there off this host; the others as in explain.',
        ),
        from: about(v.array(v.string()), 'The interfaces from whose networks it is reached.'),
        at: about(v.array(v.object({ address: v.string(), port: v.number() })), 'Where it answers.'),
        reason: about(v.string(), 'What decided it, in one line.'),
      }),
      'How those off this host meet it, by way of the networks of its interfaces; absent where there is nothing to ask.',
    ),
  ),
  service: v.optional(about(v.string(), 'What service it is, by its process or else "by its port".')),
  risk: v.optional(
    about(
      v.picklist(['critical', 'high', 'elevated', 'ordinary']),
      'How bad it is when others reach such a service; says nothing of whether they do.',
    ),
  ),
  why: v.optional(about(v.string(), 'With `--exposed`: why it is listed, in one line.')),
  embeddedDns: v.optional(about(v.boolean(), "Docker's own DNS inside a container.")),
  findings: about(v.array(v.string()), 'Codes of the findings about it.'),
  reason: v.optional(about(v.string(), 'Why something about it is unknown.')),
});

/** The whole answer. */
export const PortsSchema = v.object({
  schema: v.literal('netdash/1'),
  takenAt: about(v.pipe(v.string(), v.isoTimestamp()), 'When the readings were joined.'),
  sources: v.record(v.string(), SourceSchema),
  ports: about(
    v.array(PortSchema),
    'In order of port; with `--exposed` only what others reach, riskiest first, then what is not known.',
  ),
});

/** A port of the JSON. */
export type Port = v.InferOutput<typeof PortSchema>;

function reachOf(row: PortRow): Port['reach'] {
  const exposure = exposureOfRow(row);
  if (!exposure) return undefined;
  const open = exposure.answers.filter(({ verdict }) => verdict.verdict === 'reachable');
  const names = open.flatMap(({ question: { from } }) => (from.kind === 'lan' ? [from.interface] : []));
  const at = new Map(
    open.map(({ question: { to } }) => [`${to.address} ${to.port}`, { address: to.address, port: to.port }]),
  );
  return {
    verdict: exposure.word,
    from: [...new Set(names)],
    at: [...at.values()],
    reason: exposureReason(exposure),
  };
}

/** What a row says in the words of the JSON, where it says it. */
const portFields = [
  'v6only',
  'device',
  'containerId',
  'unit',
  'target',
  'ephemeral',
  'embeddedDns',
  'reason',
] as const satisfies readonly (keyof Port & keyof PortRow)[];

function portOf(row: PortRow, exposed: boolean): Port {
  const port: Port = {
    netns: row.place === 'host' ? 'host' : 'container',
    kind: row.kind,
    proto: row.proto ?? null,
    address: row.address,
    port: row.port ?? null,
    owner: row.owner,
    pid: row.pid ?? null,
    process: row.process ?? null,
    exposure: row.exposure,
    findings: row.findings.map(({ code }) => code),
  };
  for (const name of portFields) {
    if (row[name] !== undefined) Object.assign(port, { [name]: row[name] });
  }
  const reach = reachOf(row);
  if (reach) port.reach = reach;
  if (row.service?.name !== undefined) port.service = row.service.name;
  if (row.service && row.kind !== 'unknown') port.risk = row.service.risk;
  if (exposed) port.why = exposedReason(row);
  return port;
}

/** The answer made from rows of a snapshot. @param exposed whether they are those that others reach, and say why */
export function portsJson(
  { takenAt, sources }: Pick<Snapshot, 'takenAt' | 'sources'>,
  rows: readonly PortRow[],
  exposed: boolean,
): v.InferOutput<typeof PortsSchema> {
  return { schema: 'netdash/1', takenAt, sources, ports: rows.map(row => portOf(row, exposed)) };
}
