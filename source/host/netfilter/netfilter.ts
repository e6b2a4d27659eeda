/** Reads every netfilter rule of the host's netns, of all three kernel interfaces, without changing anything. */
import { HostError, type Host, type Tool } from '../host.ts';
import type { NetfilterReading, Outcome } from '../readings.ts';
import type { Ruleset } from './nft.ts';
import { Memo, newMemos, type Memos } from './memo.ts';
import { joinTools, type Joined } from './reconcile.ts';
import { digestOf, print, readIpset, readNft, readSaver, type Printed, type ToolAnswer } from './tool.ts';
import type { SaveOutput } from './xtables.ts';

/** Lists the tables that the legacy interface has made in this netns; readable by root only. */
const legacyTables = { ip: '/proc/net/ip_tables_names', ip6: '/proc/net/ip6_tables_names' } as const;
const legacySavers = { ip: 'iptables-legacy-save', ip6: 'ip6tables-legacy-save' } as const;
type IpFamily = keyof typeof legacyTables;

/** What was printed, in the order in which it is to be asked: what comes later hangs on what came before. */
interface Prints {
  /** Of the tools that are always run, with the lists of legacy tables. */
  first: { savers: [Printed, Printed]; nft: Printed; legacy: [LegacyTables, LegacyTables] };
  /** Of the legacy savers, where there are legacy tables. */
  legacy: Printed[];
  /** Of `ipset save`, where a rule asks for an ipset. */
  sets?: Printed;
}

interface Answers {
  savers: ToolAnswer<SaveOutput>[];
  nft: ToolAnswer<Ruleset>;
  /** What of the rules is unknown and why, one clause each. */
  gaps: string[];
}

/** The last reading of a host, and digests of what it was made of: of the texts themselves nothing is kept. */
interface Last {
  first: string;
  rest: string;
  /** The tools of `rest`, in order. */
  tools: Tool[];
  outcome: Outcome<NetfilterReading>;
  /** A digest of all of it without the counters, and whether that is another than the time before. */
  rules: string;
  hasNews: boolean;
  /** The lists of legacy tables. */
  legacy: string;
  /** Whether `nft monitor` tells of all that may change in it. */
  isTold: boolean;
}

const lastOf = new WeakMap<Host, Last>();

/**
 * Reads all rules: `iptables-save -c`, `ip6tables-save -c`, `nft -j list ruleset`, and the legacy savers where legacy tables
 * exist. Three processes as a rule, and `ipset save` where a rule asks for an ipset. As long as they print the same, counters
 * included, nothing is parsed and the value is the very same object.
 * @throws HostError when no tool gave anything: `denied` without CAP_NET_ADMIN, `missing` without the tools
 */
export async function readNetfilter(host: Host): Promise<Outcome<NetfilterReading>> {
  const first = await askFirst(host);
  const last = lastOf.get(host);
  const digest = digestOfFirst(first);
  if (last?.first === digest) {
    const rest = await Promise.all(last.tools.map(tool => print(host, tool)));
    if (digestOf(rest) === last.rest) {
      last.hasNews = false;
      return last.outcome;
    }
  }
  lastOf.delete(host);
  const memos = memosOf.get(host) ?? newMemos();
  memosOf.set(host, memos);
  const { prints, outcome, isTold } = await readAnew(host, first, memos);
  const rest = [...prints.legacy, ...(prints.sets ? [prints.sets] : [])];
  const rules = digestOf([...prints.first.savers, prints.first.nft, ...rest], false);
  lastOf.set(host, {
    first: prints.first === first ? digest : digestOfFirst(prints.first),
    rest: digestOf(rest),
    tools: rest.map(({ tool }) => tool),
    outcome,
    rules,
    hasNews: rules !== last?.rules,
    legacy: JSON.stringify(prints.first.legacy),
    isTold,
  });
  return outcome;
}

const memosOf = new WeakMap<Host, Memos>();

/** Whether the last reading found other rules than the one before, counters left aside. */
export const haveRulesChanged = (host: Host): boolean => lastOf.get(host)?.hasNews !== false;

/**
 * Whether `nft monitor` tells of every change of what the last reading found: all tables are nftables', no set changes by itself, and
 * no rule asks for an ipset.
 */
export const areRulesTold = (host: Host): boolean => lastOf.get(host)?.isTold === true;

/**
 * Whether the kernel lists legacy tables where it had none at the last reading, or the other way round, of which no monitor tells: two
 * small files. Never rejects.
 */
export async function haveLegacyTablesChanged(host: Host): Promise<boolean> {
  const legacy = await Promise.all([askLegacy(host, 'ip'), askLegacy(host, 'ip6')]);
  const last = lastOf.get(host);
  return last !== undefined && last.legacy !== JSON.stringify(legacy);
}

/**
 * Says that the value of the last outcome lives on as another object that equals it, so that not both are kept.
 * @param value as `readNetfilter` gave it; of an older outcome it is of no interest any more
 */
export function keepNetfilterAs(host: Host, value: NetfilterReading, kept: NetfilterReading): void {
  const last = lastOf.get(host);
  if (last?.outcome.value === value) last.outcome = { ...last.outcome, value: kept };
}

async function readAnew(
  host: Host,
  first: Prints['first'],
  memos: Memos,
): Promise<{ prints: Prints; outcome: Outcome<NetfilterReading>; isTold: boolean }> {
  let prints: Prints = { first, legacy: [] };
  let answers = await answersOf(host, prints, memos);
  let joined = join(answers);
  if (joined.unequal.length > 0) {
    // Rules changed between two of the tools: once more.
    prints = { first: await askFirst(host), legacy: [] };
    answers = await answersOf(host, prints, memos);
    joined = join(answers);
  }
  const all = [...answers.savers, answers.nft];
  if (all.every(answer => answer.output === undefined || (answer.error && isBare(answer)))) throw worst(all);
  if (asksForSets(joined)) prints.sets = await print(host, 'ipset');
  const sets = prints.sets && readIpset(prints.sets);
  const value: NetfilterReading = {
    chains: joined.chains,
    tools: [...all, ...(sets ? [sets] : [])].map(({ tool, error }) => ({
      tool,
      state: !error ? 'ok' : error.code === 'missing' ? 'missing' : 'failed',
      ...(error && { reason: error.message }),
    })),
    sets: answers.nft.output?.sets ?? {},
    // Without them only the rules that ask for one cannot be judged: nothing is missing but that.
    ...(sets?.output && { ipsets: sets.output }),
  };
  const missing = gapsOf(answers, joined);
  const { output: ruleset } = answers.nft;
  const isTold =
    ruleset?.setsMove === false &&
    !prints.sets &&
    prints.legacy.length === 0 &&
    missing.length === 0 &&
    answers.savers.every(({ output }) => output?.flavour !== 'legacy');
  return { prints, isTold, outcome: { value, ...(missing.length > 0 && { missing: missing.join('; ') }) } };
}

const asksForSets = ({ chains }: Joined): boolean =>
  chains.some(({ rules }) => rules.some(({ matches }) => matches.some(({ kind }) => kind === 'set')));

const isBare = (answer: ToolAnswer<SaveOutput | Ruleset>): boolean => answer.output?.chains.length === 0;

async function askFirst(host: Host): Promise<Prints['first']> {
  const [ip, ip6, nft, legacy, legacy6] = await Promise.all([
    print(host, 'iptables-save'),
    print(host, 'ip6tables-save'),
    print(host, 'nft'),
    askLegacy(host, 'ip'),
    askLegacy(host, 'ip6'),
  ]);
  return { savers: [ip, ip6], nft, legacy: [legacy, legacy6] };
}

const digestOfFirst = ({ savers, nft, legacy }: Prints['first']): string =>
  `${digestOf([...savers, nft])} ${JSON.stringify(legacy)}`;

/** Parses what was printed, and has the legacy savers print what there is to print; that is added to `prints`. */
async function answersOf(host: Host, prints: Prints, memos: Memos): Promise<Answers> {
  const { savers, nft, legacy } = prints.first;
  const memoOf = ({ tool }: Printed) => {
    const memo = memos.saved.get(tool) ?? new Memo();
    memos.saved.set(tool, memo);
    return memo;
  };
  const [ip, ip6] = [readSaver(savers[0], memoOf(savers[0])), readSaver(savers[1], memoOf(savers[1]))];
  const answers: Answers = { savers: [ip, ip6], nft: readNft(nft, memos.nft), gaps: [] };
  for (const [family, saver, found] of [
    ['ip', ip, legacy[0]],
    ['ip6', ip6, legacy[1]],
  ] as const) {
    // A saver of the legacy flavour has printed them already.
    if (saver.output?.flavour === 'legacy') continue;
    if (found.unreadable !== undefined) {
      // An empty answer may then come of the legacy saver, which takes an unreadable list for an empty one.
      const answered = saver.output?.flavour === 'nft' || (!saver.error && !answers.nft.error);
      if (answered) answers.gaps.push(`legacy ${family}tables rules, if any: ${found.unreadable}`);
      else if (!saver.error) saver.error = new HostError('denied', `${saver.tool} needs root (CAP_NET_ADMIN)`);
    }
    if (!found.present) continue;
    const printed = await print(host, legacySavers[family]);
    prints.legacy.push(printed);
    answers.savers.push(readSaver(printed, memoOf(printed)));
  }
  return answers;
}

/** Whether the legacy interface has tables; `unreadable` says why that is not known. */
interface LegacyTables {
  present: boolean;
  unreadable?: string;
}

/** Whether legacy tables exist, from the kernel's list: running a legacy saver to find out could load modules. */
async function askLegacy(host: Host, family: IpFamily): Promise<LegacyTables> {
  try {
    return { present: (await host.readFile(legacyTables[family])).trim() !== '' };
  } catch (error) {
    // Without the file the kernel has no legacy interface loaded, and so no such rules.
    if (error instanceof HostError && error.code === 'missing') return { present: false };
    return { present: false, unreadable: `${legacyTables[family]} can be read by root only` };
  }
}

function join(answers: Answers): Joined {
  return joinTools(
    answers.savers.flatMap(answer => answer.output?.chains ?? []),
    answers.nft.output,
  );
}

function gapsOf({ savers, nft, gaps }: Answers, joined: Joined): string[] {
  const found = [...gaps];
  for (const { tool, output, error } of savers) {
    const legacy = tool.includes('legacy');
    // nft reads what such a saver would have; only rules with xtables parts are lost, and those are counted below.
    if (error && (!nft.output || legacy)) found.push(error.message);
    if (output && output.incompatible.length > 0 && !nft.output) {
      found.push(`${tool} does not print ${output.incompatible.join(', ')}: nft has put rules of its own into it`);
    }
    if (output && output.strange.length > 0) {
      found.push(`${tool} printed ${output.strange.length} lines that netdash does not understand`);
    }
  }
  for (const { tool, output, error } of savers) {
    const isSilent = !error && output?.chains.length === 0;
    if (isSilent && tool.includes('legacy')) found.push(`${tool} prints none of the tables that the kernel lists`);
  }
  if (nft.error) found.push(`rules of native nftables tables: ${nft.error.message}`);
  if (joined.halfRead > 0) {
    const why = savers.find(answer => answer.error)?.error?.message ?? 'iptables-save does not print their tables';
    found.push(`the arguments of ${joined.halfRead} xtables rules: ${why}`);
  }
  if (joined.unequal.length > 0) found.push(`rules changed while they were read (${joined.unequal.join(', ')})`);
  return found;
}

/** The error that tells the operator most when nothing could be read. */
function worst(answers: readonly ToolAnswer<SaveOutput | Ruleset>[]): HostError {
  const errors = answers.flatMap(answer => (answer.error ? [answer.error] : []));
  if (errors.some(error => error.code === 'denied')) {
    return new HostError('denied', 'reading netfilter rules needs root (CAP_NET_ADMIN)');
  }
  if (errors.every(error => error.code === 'missing')) {
    return new HostError('missing', 'neither iptables-save nor nft is installed');
  }
  const [first] = errors;
  const code = first?.code ?? 'failed';
  return new HostError(code, errors.map(error => error.message).join('; ') || 'no tool gave any rules');
}
