/** Medians, ratios and the way they are printed. */

/** The value below which this share of all values lies (nearest rank). */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
};

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One row of the budget table, as measured. */
export interface Row {
  what: string;
  containers: number;
  measured: string;
  /** What the same costs otherwise. */
  against?: string;
  budget: string;
  /** Undefined: nothing was promised. */
  met?: boolean;
}

/** What a bench found: rows for people, raw figures for the file. */
export interface Findings {
  rows: Row[];
  raw: Record<string, unknown>;
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`;
export const times = (value: number): string => `${value.toFixed(2)} x`;

/** The rows as a table for a terminal or a Markdown file. */
export const table = (rows: readonly Row[]): string => {
  const lines = [
    ['what', 'containers', 'measured', 'against', 'budget', ''],
    ...rows.map(({ what, containers, measured, against = '', budget, met }) => [
      what,
      String(containers),
      measured,
      against,
      budget,
      met === undefined ? '' : met ? 'met' : 'MISSED',
    ]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map(line => line[column]!.length)));
  const print = (line: string[]): string =>
    `| ${line.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...body] = lines.map(print);
  return [head, `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
};
