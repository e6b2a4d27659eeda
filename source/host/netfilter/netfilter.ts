/** Reads every netfilter rule of the host's netns, of all three kernel interfaces, without changing anything. */
import { HostError, type Host } from '../host.ts';
import type { NetfilterReading, Outcome } from '../readings.ts';
import type { Ruleset } from './nft.ts';
import { joinTools, type Joined } from './reconcile.ts';
import { runIpset, runNft, runSaver, type ToolAnswer } from './tool.ts';
import type { SaveOutput } from './xtables.ts';

/** Lists the tables that the legacy interface has made in this netns; readable by root only. */
const legacyTables = { ip: '/proc/net/ip_tables_names', ip6: '/proc/net/ip6_tables_names' } as const;
const legacySavers = { ip: 'iptables-legacy-save', ip6: 'ip6tables-legacy-save' } as const;
type IpFamily = keyof typeof legacyTables;

interface Answers {
  savers: ToolAnswer<SaveOutput>[];
  nft: ToolAnswer<Ruleset>;
  /** What of the rules is unknown and why, one clause each. */
  gaps: string[];
}

/**
 * Reads all rules: `iptables-save -c`, `ip6tables-save -c`, `nft -j list ruleset`, and the legacy savers where legacy tables
 * exist. Three processes as a rule, and `ipset save` where a rule asks for an ipset.
 * @throws HostError when no tool gave anything: `denied` without CAP_NET_ADMIN, `missing` without the tools
 */
export async function readNetfilter(host: Host): Promise<Outcome<NetfilterReading>> {
  let answers = await ask(host);
  let joined = join(answers);
  if (joined.unequal.length > 0) {
    // Rules changed between two of the tools: once more.
    answers = await ask(host);
    joined = join(answers);
  }
  const all = [...answers.savers, answers.nft];
  if (all.every(answer => answer.output === undefined || (answer.error && isBare(answer)))) throw worst(all);
  const sets = asksForSets(joined) ? await runIpset(host) : undefined;
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
  return { value, ...(missing.length > 0 && { missing: missing.join('; ') }) };
}

const asksForSets = ({ chains }: Joined): boolean =>
  chains.some(({ rules }) => rules.some(({ matches }) => matches.some(({ kind }) => kind === 'set')));

const isBare = (answer: ToolAnswer<SaveOutput | Ruleset>): boolean => answer.output?.chains.length === 0;

async function ask(host: Host): Promise<Answers> {
  const [ip, ip6, nft, legacy, legacy6] = await Promise.all([
    runSaver(host, 'iptables-save'),
    runSaver(host, 'ip6tables-save'),
    runNft(host),
    askLegacy(host, 'ip'),
    askLegacy(host, 'ip6'),
  ]);
  const answers: Answers = { savers: [ip, ip6], nft, gaps: [] };
  for (const [family, saver, found] of [
    ['ip', ip, legacy],
    ['ip6', ip6, legacy6],
  ] as const) {
    // A saver of the legacy flavour has printed them already.
    if (saver.output?.flavour === 'legacy') continue;
    if (found.unreadable !== undefined) {
      // An empty answer may then come of the legacy saver, which takes an unreadable list for an empty one.
      const answered = saver.output?.flavour === 'nft' || (!saver.error && !nft.error);
      if (answered) answers.gaps.push(`legacy ${family}tables rules, if any: ${found.unreadable}`);
      else if (!saver.error) saver.error = new HostError('denied', `${saver.tool} needs root (CAP_NET_ADMIN)`);
    }
    if (found.present) answers.savers.push(await runSaver(host, legacySavers[family]));
  }
  return answers;
}

/** Whether legacy tables exist, from the kernel's list: running a legacy saver to find out could load modules. */
async function askLegacy(host: Host, family: IpFamily): Promise<{ present: boolean; unreadable?: string }> {
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
