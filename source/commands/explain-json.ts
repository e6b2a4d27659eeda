/** The JSON of `netdash explain --json`. */
import * as v from 'valibot';
import type { Explained } from '../facts/reachability.ts';
import { ProtoSchema, RuleSchema, SourceSchema, type Snapshot } from '../facts/schema.ts';

const about = <T extends v.GenericSchema>(schema: T, description: string): T =>
  v.pipe(schema, v.description(description)) as unknown as T;

/** What decided a verdict. */
export const DecidedBySchema = v.object({
  kind: v.picklist(['rule', 'policy', 'sysctl', 'route', 'bridge', 'listener', 'proxy']),
  family: v.optional(about(v.string(), 'ip, ip6 or inet.')),
  table: v.optional(v.string()),
  chain: v.optional(v.string()),
  rule: v.optional(about(v.number(), '1-based position in its chain.')),
  handle: v.optional(about(v.number(), "nft's handle.")),
  text: v.optional(about(v.string(), 'The rule as its tool prints it.')),
  packets: v.optional(v.number()),
  bytes: v.optional(v.number()),
  author: v.optional(RuleSchema.entries.author),
  inside: v.optional(
    about(v.string(), 'Name of the container in whose netns the rule is; absent: it is in that of the host.'),
  ),
  pid: v.optional(
    about(
      v.number(),
      "Host pid of a process in the container's netns where it was decided; absent: it was in that of the host.",
    ),
  ),
  onAnswer: v.optional(about(v.literal(true), 'What came was let through, and it is the answer that is stopped.')),
  routeTo: v.optional(
    about(v.string(), 'Of kind route: the address to which the route is missing, or leads elsewhere.'),
  ),
  lacks: v.optional(
    about(
      v.object({ address: v.string(), interface: v.optional(v.string()) }),
      'Of kind route: the address, with the length of its prefix, that this host should have, and the interface for it, as far as it can be told.',
    ),
  ),
  off: v.optional(about(v.string(), 'Of kind route: the interface of the host that is down, or has no carrier.')),
  past: v.optional(
    about(
      v.string(),
      "Of kind route, where a container's answer leaves by a network of its own past the host: its address there.",
    ),
  ),
  publishedFor: v.optional(
    about(
      v.object({ container: v.string(), containerPort: v.optional(v.number()) }),
      'Of kind listener, where Docker publishes the port on loopback only: for whom.',
    ),
  ),
  detail: about(v.string(), 'One line for the operator.'),
});

/** The verdict for one vantage and destination. */
export const VerdictSchema = v.object({
  target: about(v.string(), 'As it was given.'),
  from: about(
    v.object({
      kind: v.picklist(['loopback', 'lan', 'address', 'container']),
      interface: v.optional(v.string()),
      address: v.optional(v.string()),
      containerId: v.optional(v.string()),
    }),
    'loopback: the host itself; lan: any neighbour on the network of that interface; address: whoever has it; container: from its netns.',
  ),
  to: v.object({ address: v.string(), port: v.number(), proto: ProtoSchema }),
  verdict: about(
    v.picklist(['reachable', 'blocked', 'local-only', 'nothing-listening', 'unknown']),
    'Judges an exchange of data, not the handshake. unknown: it hangs on what decidedBy says.',
  ),
  decidedBy: v.optional(DecidedBySchema),
  path: about(
    v.array(
      v.object({
        hop: v.string(),
        ok: v.boolean(),
        unknown: v.optional(
          about(v.literal(true), 'Whether it gets past here is not known: rules were not read. ok is false then.'),
        ),
        detail: v.string(),
      }),
    ),
    'The way of the first packet, hop by hop; the last one is not ok where it ends.',
  ),
  fix: v.optional(about(v.string(), 'What the operator can do.')),
  confirm: v.optional(about(v.string(), 'A command that shows it without netdash.')),
});

/** The whole answer. */
export const ExplainSchema = v.object({
  schema: v.literal('netdash/1'),
  takenAt: about(v.pipe(v.string(), v.isoTimestamp()), 'When the readings were joined.'),
  sources: v.record(v.string(), SourceSchema),
  verdicts: v.array(VerdictSchema),
});

/** A line of `explain --watch --json`. */
export const WatchedVerdictSchema = v.object({
  at: about(v.pipe(v.string(), v.isoTimestamp()), 'When it was noticed.'),
  was: about(
    v.nullable(VerdictSchema.entries.verdict),
    'The verdict before; null for the first, and for what was not asked before.',
  ),
  ...VerdictSchema.entries,
});

/** One answered question. */
export interface Answer extends Explained {
  /** As the operator named it. */
  target: string;
}

/** A verdict in the published form. */
export function verdictJson({ target, question, verdict, advice }: Answer): v.InferOutput<typeof VerdictSchema> {
  const { verdict: word, decidedBy, path } = verdict;
  return {
    target,
    from: question.from,
    to: question.to,
    verdict: word,
    ...(decidedBy && { decidedBy }),
    path: path.map(({ hop, ok, unknown, detail }) => ({ hop, ok, ...(unknown && { unknown }), detail })),
    ...advice,
  };
}

/** The answer made from verdicts. */
export function explainJson(
  { takenAt, sources }: Pick<Snapshot, 'takenAt' | 'sources'>,
  answers: readonly Answer[],
): v.InferOutput<typeof ExplainSchema> {
  return { schema: 'netdash/1', takenAt, sources, verdicts: answers.map(verdictJson) };
}
