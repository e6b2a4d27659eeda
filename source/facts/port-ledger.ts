/** The last known ephemeral ports of each container, as they are kept between readings and between runs of netdash. */
import * as v from 'valibot';
import { BindingSideSchema, ProtoSchema } from './schema.ts';

const LedgerBindingSchema = v.object({
  proto: ProtoSchema,
  containerPort: v.number(),
  /** As requested; '' when no address was. */
  hostIp: v.string(),
  /** As requested: '' for ephemeral, '8000-8010' for a range. */
  request: v.string(),
  /** Where Docker mapped it: IPv4 first, then IPv6; never empty. */
  sides: v.pipe(v.array(BindingSideSchema), v.minLength(1)),
});

const LedgerEntrySchema = v.object({
  name: v.string(),
  bindings: v.array(LedgerBindingSchema),
  /** Start of the run in which they were seen, ms; null when Docker did not tell. */
  startedAt: v.nullable(v.number()),
  restartCount: v.number(),
  /** When the inspect that showed them was answered, ms. */
  inspectedAt: v.number(),
  /** Seen stopped by hand or by itself (exited, not merely restarting) since then. */
  wasExited: v.optional(v.boolean()),
  /** From an earlier run of netdash, and not seen again in this one yet. */
  away: v.optional(v.boolean()),
  /** Names that the container had before, oldest first. */
  formerNames: v.optional(v.array(v.string())),
  /** The container whose name this one took while that one ran on under another, and when that was seen, ms. */
  inPlaceOf: v.optional(v.object({ id: v.string(), since: v.number() })),
  /** Another container has taken its place under its name, which has been told; whoever bears a name of it later took nothing. */
  replaced: v.optional(v.literal(true)),
});

const PendingChangeSchema = v.object({
  containerId: v.string(),
  containerName: v.string(),
  proto: ProtoSchema,
  containerPort: v.number(),
  from: v.pipe(v.array(BindingSideSchema), v.minLength(1)),
  to: v.pipe(v.array(BindingSideSchema), v.minLength(1)),
  /** When it was seen, ms. */
  at: v.number(),
  /** What the cause is found by. */
  startedBefore: v.nullable(v.number()),
  startedNow: v.nullable(v.number()),
  restartsBefore: v.number(),
  restartsNow: v.number(),
  restartPolicy: v.string(),
  wasExited: v.boolean(),
});

/** The state file's part about ports. */
export const LedgerSchema = v.object({
  version: v.literal(1),
  /** By container id; containers that are gone stay for a while, so that a recreated one is recognised by its name. */
  containers: v.record(v.string(), LedgerEntrySchema),
  /** Changes that wait for the event that tells their cause; they are reported within two seconds. */
  pending: v.array(PendingChangeSchema),
});

export type Ledger = v.InferOutput<typeof LedgerSchema>;
export type LedgerEntry = v.InferOutput<typeof LedgerEntrySchema>;
export type LedgerBinding = v.InferOutput<typeof LedgerBindingSchema>;
export type PendingChange = v.InferOutput<typeof PendingChangeSchema>;

/** A ledger that knows nothing: the first sight of a port is no change. */
export const emptyLedger: Ledger = { version: 1, containers: {}, pending: [] };

/**
 * Takes up a ledger that an earlier run of netdash left (parsed JSON). What differs from it when the containers are first
 * seen again changed in between and is reported as `while-away`.
 * @returns undefined when it is none, or of a version that this netdash does not know
 */
export function openLedger(stored: unknown): Ledger | undefined {
  const parsed = v.safeParse(LedgerSchema, stored);
  if (!parsed.success) return undefined;
  const containers = Object.entries(parsed.output.containers).map(([id, entry]) => [id, { ...entry, away: true }]);
  return { ...parsed.output, containers: Object.fromEntries(containers) as Ledger['containers'] };
}
