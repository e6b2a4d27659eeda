/** The JSON of `netdash ports --json`: a flat list, for those who want ports and nothing else. */
import * as v from 'valibot';
import { PortOwnerSchema, ProtoSchema, SourceSchema, type Snapshot } from '../facts/schema.ts';
import { portRows, type PortRow } from '../present/port-table.ts';

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
  embeddedDns: v.optional(about(v.boolean(), "Docker's own DNS inside a container.")),
  findings: about(v.array(v.string()), 'Codes of the findings about it.'),
  reason: v.optional(about(v.string(), 'Why something about it is unknown.')),
});

/** The whole answer. */
export const PortsSchema = v.object({
  schema: v.literal('netdash/1'),
  takenAt: about(v.pipe(v.string(), v.isoTimestamp()), 'When the readings were joined.'),
  sources: v.record(v.string(), SourceSchema),
  ports: about(v.array(PortSchema), 'In order of port.'),
});

/** A port of the JSON. */
export type Port = v.InferOutput<typeof PortSchema>;

function portOf(row: PortRow): Port {
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
  for (const name of ['v6only', 'containerId', 'unit', 'target', 'ephemeral', 'embeddedDns', 'reason'] as const) {
    if (row[name] !== undefined) Object.assign(port, { [name]: row[name] });
  }
  return port;
}

/** The answer made from a snapshot. */
export function portsJson(snapshot: Snapshot): v.InferOutput<typeof PortsSchema> {
  return {
    schema: 'netdash/1',
    takenAt: snapshot.takenAt,
    sources: snapshot.sources,
    ports: portRows(snapshot).map(portOf),
  };
}
