/**
 * Writes docs/json.md and docs/netdash-1.schema.json from the schemas in source/. With `--check` it writes nothing and fails
 * when they are not up to date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { DoctorSchema } from '../source/commands/doctor-json.ts';
import {
  DecidedBySchema,
  ExplainSchema,
  VerdictSchema,
  WatchedVerdictSchema,
} from '../source/commands/explain-json.ts';
import { PortSchema, PortsSchema } from '../source/commands/ports-json.ts';
import * as schema from '../source/facts/schema.ts';

/** The objects of the interface by name, in the order in which docs/json.md tells of them. */
const objects: Record<string, v.GenericSchema> = {
  Snapshot: schema.SnapshotSchema,
  Source: schema.SourceSchema,
  Host: schema.HostSchema,
  Container: schema.ContainerSchema,
  Endpoint: schema.EndpointSchema,
  RequestedPort: schema.RequestedPortSchema,
  PublishedPort: schema.PublishedPortSchema,
  Process: schema.ProcessSchema,
  Listener: schema.ListenerSchema,
  PortOwner: schema.PortOwnerSchema,
  Network: schema.NetworkSchema,
  Interface: schema.InterfaceSchema,
  Link: schema.LinkSchema,
  Rule: schema.RuleSchema,
  Traffic: schema.TrafficSchema,
  PortChange: schema.PortChangeSchema,
  BindingSide: schema.BindingSideSchema,
  Finding: schema.FindingSchema,
  Event: schema.EventSchema,
  Ports: PortsSchema,
  Port: PortSchema,
  Doctor: DoctorSchema,
  Explain: ExplainSchema,
  Verdict: VerdictSchema,
  DecidedBy: DecidedBySchema,
  WatchedVerdict: WatchedVerdictSchema,
};

/** What `--json` of each command prints. */
const commands: [command: string, name: string, words: string][] = [
  ['netdash snapshot --json', 'Snapshot', 'one object: all that is known of the host'],
  [
    'netdash ports --json',
    'Ports',
    'one object: every listener and published port as a flat list, with `--exposed` those that others can reach, riskiest first',
  ],
  ['netdash explain TARGET… --json', 'Explain', 'one object: who can reach the targets, and what stops the others'],
  [
    'netdash explain TARGET… --watch --json',
    'WatchedVerdict',
    'one object a line: each verdict, and again when it changes',
  ],
  ['netdash doctor --json', 'Doctor', 'one object: the findings, and what could not be judged'],
  ['netdash watch --json', 'Event', 'one object a line, as things happen'],
];

/** The part of JSON Schema that valibot's translation of these schemas uses. */
interface Json {
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Json[];
  items?: Json | Json[];
  prefixItems?: Json[];
  properties?: Record<string, Json>;
  required?: string[];
  additionalProperties?: Json | boolean;
  description?: string;
}

const definitions = Object.fromEntries(
  Object.keys(objects).map(name => [
    name,
    toJsonSchema(objects[name]!, { definitions: objects, errorMode: 'ignore' }) as Json & {
      $defs?: Record<string, Json>;
    },
  ]),
);
const defs = Object.values(definitions).find(({ $defs }) => $defs !== undefined)?.$defs ?? {};

/** A type in the words of the tables. */
function typeText(json: Json): string {
  if (json.$ref) {
    const name = json.$ref.split('/').at(-1)!;
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (json.const !== undefined) return `\`${JSON.stringify(json.const)}\``;
  if (json.enum) return json.enum.map(value => `\`${String(value)}\``).join(' ');
  if (json.anyOf) return json.anyOf.map(typeText).join(' or ');
  if (json.type === 'array') {
    const items = json.prefixItems ?? (Array.isArray(json.items) ? json.items : undefined);
    if (items) return `[${items.map(typeText).join(', ')}]`;
    const item = typeText((json.items as Json | undefined) ?? {});
    return `array of ${item}`;
  }
  if (json.type === 'object') {
    if (json.properties) {
      const { properties, required = [] } = json;
      const members = Object.entries(properties).map(
        ([name, member]) => `${name}${required.includes(name) ? '' : '?'}: ${typeText(member)}`,
      );
      return `{ ${members.join(', ')} }`;
    }
    const values = typeof json.additionalProperties === 'object' ? typeText(json.additionalProperties) : 'anything';
    return `object of ${values} by name`;
  }
  return json.type ?? 'anything';
}

/** Descriptions hang on the field, or on one of the types that it may have. */
function descriptionOf(json: Json): string {
  return json.description ?? json.anyOf?.map(descriptionOf).find(text => text !== '') ?? '';
}

const cellText = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function objectSection(name: string): string[] {
  const { properties = {}, required = [] } = defs[name] ?? {};
  const rows = Object.entries(properties).map(([field, json]) => {
    const optional = required.includes(field) ? '' : '?';
    return `| \`${field}\`${optional} | ${cellText(typeText(json))} | ${cellText(descriptionOf(json))} |`;
  });
  return [`## ${name}`, '', '| field | type | |', '| --- | --- | --- |', ...rows, ''];
}

/** docs/json.md. */
export function jsonPage(): string {
  return [
    '# JSON',
    '',
    '<!-- Written by `npm run docs` from source/facts/schema.ts: change it there. -->',
    '',
    'What `--json` prints is a public interface. It is called `netdash/1` (`schema` in every object that is printed alone) and',
    'only ever gains fields. The same in JSON Schema: [netdash-1.schema.json](netdash-1.schema.json).',
    '',
    ...commands.map(([command, name, words]) => `- \`${command}\`: [${name}](#${name.toLowerCase()}), ${words}`),
    '',
    "Names are camelCase. Ids are Docker's 64 hex digits, names have no slash, times are ISO 8601 in UTC, `proto` is tcp, udp or",
    'sctp, and the wildcard addresses are `0.0.0.0` and `::`. Lists say nothing by their order unless their field does.',
    '',
    'A field marked `?` is absent where it does not apply. **What could not be found out is `null`**, and `unknown` of the same',
    'object says why, by the name of the field: an empty list means that there is nothing, never that nothing could be read.',
    '',
    '```sh',
    "netdash snapshot --json | jq -r '.listeners[] | select(.port == 8080) | .owner.containerName'",
    'netdash doctor --json | jq -r \'.findings[] | select(.severity == "error") | .message\'',
    'netdash watch --json | jq -r \'select(.type == "port-changed") | .portChange | "\\(.containerName) \\(.to[0].hostPort)"\'',
    '```',
    '',
    ...Object.keys(objects).flatMap(objectSection),
  ].join('\n');
}

/** docs/netdash-1.schema.json: the snapshot, with every object of the interface among its definitions. */
export function jsonSchema(): string {
  const all = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'netdash/1',
    $ref: '#/$defs/Snapshot',
    $defs: defs,
  };
  return `${JSON.stringify(all, undefined, 2)}\n`;
}

const docs = join(import.meta.dirname, '..', 'docs');

/** The generated pages by their path. */
export const pages: Record<string, () => string> = {
  [join(docs, 'json.md')]: jsonPage,
  [join(docs, 'netdash-1.schema.json')]: jsonSchema,
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const check = process.argv.includes('--check');
  for (const [path, make] of Object.entries(pages)) {
    const text = make();
    if (!check) writeFileSync(path, text);
    else if (readFileSync(path, 'utf8') !== text) {
      process.stderr.write(`${path} is out of date: run npm run docs\n`);
      process.exitCode = 1;
    }
  }
}
