/** Pane 5: the netfilter rules that act on Docker's traffic, in evaluation order. */
import type { Rule, Snapshot } from '../facts/schema.ts';
import { cell } from './cell.ts';
import type { Cell, Line, Tone } from './cell.ts';
import { nothing, optional } from './common-cells.ts';
import { facts, heading, paragraph } from './document.ts';
import { lookupOf, nameOf } from './lookup.ts';
import type { Table } from './table.ts';
import { bytes, count } from './units.ts';

export interface RuleRow {
  key: string;
  rule: Rule;
  /** Names of the containers and networks that it is about. */
  containers: readonly string[];
  networks: readonly string[];
}

/** One row per rule; [] also when they are unknown, which the pane says by the state of the netfilter source. */
export function ruleRows(snapshot: Snapshot): RuleRow[] {
  const lookup = lookupOf(snapshot);
  const networks = new Map(snapshot.networks.map(network => [network.id, network.name]));
  const seen = new Map<string, number>();
  return (snapshot.rules ?? []).map(rule => {
    // A rule has no identity but its text: the number moves with every rule that is put in front of it.
    const place = `${rule.backend} ${rule.family} ${rule.table} ${rule.chain} ${rule.text}`;
    const copies = seen.get(place) ?? 0;
    seen.set(place, copies + 1);
    return {
      key: `${place} ${copies}`,
      rule,
      containers: rule.containerIds.map(id => nameOf(lookup, id)),
      networks: rule.networkIds.map(id => networks.get(id) ?? id.slice(0, 12)),
    };
  });
}

/** The family as one sees it in ip(6)tables and nft. */
const familyName: Readonly<Record<Rule['family'], string>> = {
  ip: 'v4',
  ip6: 'v6',
  inet: 'inet',
  arp: 'arp',
  bridge: 'bridge',
  netdev: 'netdev',
};

function actionTone(action: string): Tone {
  if (/^(drop|reject)/.test(action)) return 'bad';
  if (action.startsWith('accept')) return 'good';
  if (/^(dnat|snat|masquerade|redirect)/.test(action)) return 'info';
  return 'plain';
}

/** What the rule does, in the colour of its effect. */
export function actionCell(rule: Rule): Cell {
  return cell(rule.action, actionTone(rule.action));
}

/** Who wrote it; Docker's own rules are the expected ones, and of policies nobody can tell. */
export function authorCell({ author }: Rule): Cell {
  return author === 'unknown' ? cell('?', 'dim') : cell(author, author === 'docker' ? 'dim' : 'warn');
}

const counter = (value: number | undefined, text: (value: number) => string): Cell =>
  value === undefined ? nothing : cell(text(value), value === 0 ? 'dim' : 'plain');

/** Whom a rule is about: containers, else networks. */
function aboutCell(row: RuleRow): Cell {
  if (row.containers.length > 0) return cell(row.containers.join(' '), 'accent');
  if (row.networks.length > 0) return cell(row.networks.join(' '));
  return nothing;
}

/**
 * What a rule asks of a packet: its text without the chain in front and the target behind, which have columns of their
 * own, and without `-m tcp` and the like, which only load what the next match needs.
 */
export function matchText(rule: Rule): string {
  if (rule.backend === 'nft' || rule.number === 0) return rule.text;
  return rule.text
    .replace(/^-A \S+ ?/, '')
    .replace(/ ?-[jg] \S+.*$/, '')
    .replaceAll(/-m (tcp|udp|sctp) /g, '');
}

/** A rule in full, over several lines. */
export function ruleDetails(row: RuleRow): Line[] {
  const { rule } = row;
  return [
    ...facts([
      ['rule', cell(`${familyName[rule.family]} ${rule.table} ${rule.chain}`, 'title')],
      ['position', cell(rule.number === 0 ? 'policy of the chain' : `number ${rule.number} of its chain`)],
      ['action', actionCell(rule)],
      ['author', authorCell(rule)],
      ['read with', cell(rule.backend)],
      ['hook', rule.hook === undefined ? undefined : cell(rule.hook)],
      ['handle', rule.handle === undefined ? undefined : cell(rule.handle)],
      ['packets', optional(rule.packets)],
      ['bytes', rule.bytes === undefined ? nothing : cell(bytes(rule.bytes))],
      ['containers', row.containers.length === 0 ? undefined : cell(row.containers.join(' '), 'accent')],
      ['networks', row.networks.length === 0 ? undefined : cell(row.networks.join(' '))],
    ]),
    ...heading('As its tool prints it'),
    ...paragraph(rule.text),
  ];
}

/** Firewall: rules with their counters and authors. */
export const ruleTable: Table<RuleRow> = {
  id: 'firewall',
  title: 'Firewall',
  key: row => row.key,
  columns: [
    { id: 'family', title: 'IP', priority: 8, min: 2, max: 6, cell: row => cell(familyName[row.rule.family], 'dim') },
    { id: 'table', title: 'TABLE', priority: 4, min: 6, max: 16, cell: row => cell(row.rule.table, 'dim') },
    { id: 'chain', title: 'CHAIN', priority: 2, min: 10, max: 26, want: 22, cell: row => cell(row.rule.chain) },
    {
      id: 'number',
      title: '#',
      extra: true,
      priority: 9,
      min: 3,
      max: 4,
      align: 'right',
      cell: row => cell(row.rule.number === 0 ? 'pol' : row.rule.number, 'dim'),
      sortKey: row => row.rule.number,
    },
    { id: 'action', title: 'ACTION', priority: 1, min: 10, max: 34, want: 20, cell: row => actionCell(row.rule) },
    { id: 'about', title: 'ABOUT', priority: 3, min: 6, max: 24, want: 16, cell: aboutCell },
    {
      id: 'packets',
      title: 'PACKETS',
      priority: 6,
      min: 7,
      max: 7,
      align: 'right',
      live: true,
      cell: row => counter(row.rule.packets, count),
      sortKey: row => row.rule.packets,
    },
    {
      id: 'bytes',
      title: 'BYTES',
      extra: true,
      priority: 10,
      min: 7,
      max: 7,
      align: 'right',
      live: true,
      cell: row => counter(row.rule.bytes, bytes),
      sortKey: row => row.rule.bytes,
    },
    { id: 'author', title: 'AUTHOR', priority: 7, min: 6, max: 10, cell: row => authorCell(row.rule) },
    {
      id: 'matches',
      title: 'MATCHES',
      priority: 5,
      min: 16,
      max: 200,
      want: 40,
      grow: true,
      cell: row => optional(matchText(row.rule)),
    },
  ],
  fields: {
    name: { kind: 'text', of: row => row.containers },
    net: { kind: 'text', of: row => row.networks },
    table: { kind: 'word', of: row => [row.rule.table] },
    chain: { kind: 'text', of: row => [row.rule.chain] },
    action: { kind: 'word', of: row => [row.rule.action] },
    author: { kind: 'word', of: row => [row.rule.author] },
    family: { kind: 'word', of: row => [row.rule.family, familyName[row.rule.family]] },
    hook: { kind: 'word', of: row => [row.rule.hook] },
    port: { kind: 'number', of: row => rulePorts(row.rule.text) },
  },
  copy: row => row.rule.text,
  details: ruleDetails,
};

/** The port numbers that a rule's text names: `--dport 8080`, `tcp dport 80`, `:80` of a destination. */
function rulePorts(text: string): number[] {
  return [...text.matchAll(/(?:d|s|origdst)ports?\s+(\d+)|[\d\]]:(\d+)\b|\bto \S+ ?: ?(\d+)/g)].map(match =>
    Number(match[1] ?? match[2] ?? match[3]),
  );
}
