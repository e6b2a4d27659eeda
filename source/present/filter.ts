/**
 * The filter language: words that any cell must contain, and typed fields (`port:8080 mode:host -state:exited`).
 * All terms must hold. Quotes keep spaces together; `-` in front turns a term round; case does not matter.
 */

/** A field that a filter can name, and how its value is compared. */
export interface FilterField<Row> {
  /** `text`: contains; `word`: begins with (modes, states); `number`: equals, or lies in a range `8000-8010`. */
  kind: 'text' | 'word' | 'number';
  of: (row: Row) => readonly (string | number | undefined)[];
}

interface Term {
  negate: boolean;
  /** Absent: a word for any cell. */
  field?: string;
  /** Lower case. */
  value: string;
}

export interface Filter {
  terms: readonly Term[];
}

const tokenPattern = /(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))?/gi;

/**
 * Reads a filter. A field without a value yet (`port:`) asks for nothing, as one types.
 * @param fields the names that the table knows, with their kinds
 * @returns the filter as far as it could be understood, and why the rest could not
 */
export function parseFilter(
  text: string,
  fields: Readonly<Record<string, { kind: 'text' | 'word' | 'number' }>>,
): { filter: Filter; error?: string } {
  const terms: Term[] = [];
  let error: string | undefined;
  for (const match of text.trim().matchAll(tokenPattern)) {
    const [whole, minus, name, quoted, bare] = match;
    if (whole === '') continue;
    const value = (quoted ?? bare ?? '').toLowerCase();
    const field = name?.toLowerCase();
    if (value === '') continue;
    if (field !== undefined) {
      const known = Object.hasOwn(fields, field) ? fields[field] : undefined;
      if (!known) {
        error ??= `no field "${field}" here; there are ${Object.keys(fields).join(', ')}`;
        continue;
      }
      if (known.kind === 'number' && !/^\d+(-\d*)?$/.test(value)) {
        error ??= `${field}: takes a number or a range such as 8000-8010`;
        continue;
      }
    }
    terms.push({ negate: minus === '-', field, value });
  }
  return { filter: { terms }, error };
}

function numberMatches(wanted: string, value: number): boolean {
  const [from = '', to] = wanted.split('-');
  return to ? value >= Number(from) && value <= Number(to) : value === Number(from);
}

function valueMatches(kind: FilterField<never>['kind'], wanted: string, value: string | number | undefined): boolean {
  if (value === undefined) return false;
  if (kind === 'number') return numberMatches(wanted, Number(value));
  const text = String(value).toLowerCase();
  return kind === 'word' ? text.startsWith(wanted) : text.includes(wanted);
}

/** Whether a row passes. `texts` gives the texts of its cells; it is called only when a word needs them. */
export function matches<Row>(
  filter: Filter,
  row: Row,
  {
    fields,
    words,
  }: {
    fields: Readonly<Record<string, FilterField<Row>>>;
    words?: Readonly<Record<string, (row: Row) => boolean>>;
  },
  texts: () => readonly string[],
): boolean {
  let cells: readonly string[] | undefined;
  return filter.terms.every(term => {
    const field = term.field === undefined ? undefined : fields[term.field];
    if (term.field !== undefined && !field) return true;
    if (field) return field.of(row).some(value => valueMatches(field.kind, term.value, value)) !== term.negate;
    const word = term.field === undefined && words && Object.hasOwn(words, term.value) && words[term.value];
    if (word) return word(row) !== term.negate;
    cells ??= texts().map(text => text.toLowerCase());
    return cells.some(text => text.includes(term.value)) !== term.negate;
  });
}
