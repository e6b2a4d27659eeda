/** The JSON of `netdash doctor --json`. */
import * as v from 'valibot';
import { FindingSchema, SourceSchema, type Snapshot } from '../facts/schema.ts';
import type { Unjudged } from './doctor.ts';

const about = <T extends v.GenericSchema>(schema: T, description: string): T =>
  v.pipe(schema, v.description(description)) as unknown as T;

const lacking = v.array(v.object({ name: v.string(), reason: v.string() }));

/** The whole answer. */
export const DoctorSchema = v.object({
  schema: v.literal('netdash/1'),
  takenAt: about(v.pipe(v.string(), v.isoTimestamp()), 'When the readings were joined.'),
  sources: v.record(v.string(), SourceSchema),
  findings: about(v.array(FindingSchema), 'Errors first, then by code and subject.'),
  unjudged: about(
    v.object({
      sources: lacking,
      codes: v.array(v.string()),
      incomplete: about(
        v.object({ sources: lacking, containers: lacking, codes: v.array(v.string()) }),
        'Sources of which a part could not be read, and the codes of findings of which there may be more therefore; containers that publish ports of which is not known what listens, or who reaches them.',
      ),
    }),
    'Sources that could not be read, and the codes of findings that could not be judged without them.',
  ),
});

/** The answer made from a snapshot. */
export function doctorJson(snapshot: Snapshot, unjudged: Unjudged): v.InferOutput<typeof DoctorSchema> {
  const { takenAt, sources, findings } = snapshot;
  return { schema: 'netdash/1', takenAt, sources, findings, unjudged };
}
