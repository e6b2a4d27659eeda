/** Runs the tools that print rules, and says in the operator's words why one gave nothing. */
import { HostError, type Host, type Tool, type ToolResult } from '../host.ts';
import type { IpsetReading } from '../readings.ts';
import { parseIpsets } from './ipset.ts';
import { parseRuleset, type Ruleset } from './nft.ts';
import { parseSave, type SaveOutput } from './xtables.ts';

/** What one tool gave. A saver that failed half-way still gives the tables that it finished. */
export interface ToolAnswer<T> {
  tool: Tool;
  output?: T;
  /** Why it gave nothing, or not all. */
  error?: HostError;
}

const dumpTimeoutMs = 10_000;

/** The first line of standard error that says something. */
const complaint = (result: ToolResult): string =>
  result.stderr
    .split('\n')
    .map(line => line.trim())
    .find(line => line !== '' && !line.startsWith('#') && !line.startsWith('XT target')) ?? '';

const denied = (text: string): boolean => /Permission denied|Operation not permitted|must be root/i.test(text);
const locked = (text: string): boolean => /holding the xtables lock|Resource temporarily unavailable/i.test(text);

/** Why a tool that ended like this did not do its job; undefined when it did. */
function failure(tool: Tool, result: ToolResult): HostError | undefined {
  if (result.code === 0) return undefined;
  if (denied(result.stderr)) return new HostError('denied', `${tool} needs root (CAP_NET_ADMIN)`);
  // A shell in between turns the signal into 128 + 11.
  if (result.signal !== null || (result.code !== null && result.code > 128)) {
    const how = result.signal ?? (result.code === 139 ? 'SIGSEGV' : `exit code ${result.code}`);
    const why = tool === 'nft' ? ': it may be older than the program that wrote the rules' : '';
    return new HostError('failed', `${tool} crashed (${how})${why}`);
  }
  const said = complaint(result);
  return new HostError('failed', `${tool} failed with exit code ${result.code}${said && `: ${said}`}`);
}

const asHostError = (error: unknown): HostError =>
  error instanceof HostError ? error : new HostError('failed', error instanceof Error ? error.message : String(error));

/** Runs a tool; once more, a moment later, when another program held the xtables lock. */
async function run(host: Host, tool: Tool, args: readonly string[]): Promise<ToolResult> {
  const result = await host.run(tool, args, { timeoutMs: dumpTimeoutMs });
  if (result.code === 0 || !locked(result.stderr)) return result;
  await new Promise(resolve => setTimeout(resolve, 100));
  return host.run(tool, args, { timeoutMs: dumpTimeoutMs });
}

/** Runs `iptables-save -c` or a relative. Never throws. */
export async function runSaver(host: Host, tool: Tool): Promise<ToolAnswer<SaveOutput>> {
  try {
    const result = await run(host, tool, ['-c']);
    const output = parseSave(result.stdout, tool.startsWith('ip6') ? 'ip6' : 'ip');
    return { tool, output, error: failure(tool, result) };
  } catch (error) {
    return { tool, error: asHostError(error) };
  }
}

/** Runs `ipset save`. Never throws. */
export async function runIpset(host: Host): Promise<ToolAnswer<Record<string, IpsetReading>>> {
  try {
    const result = await run(host, 'ipset', ['save']);
    const error = failure('ipset', result);
    return error ? { tool: 'ipset', error } : { tool: 'ipset', output: parseIpsets(result.stdout) };
  } catch (error) {
    return { tool: 'ipset', error: asHostError(error) };
  }
}

/** Runs `nft -j list ruleset`. Never throws. */
export async function runNft(host: Host): Promise<ToolAnswer<Ruleset>> {
  try {
    const result = await run(host, 'nft', ['-j', 'list', 'ruleset']);
    const error = failure('nft', result);
    return error ? { tool: 'nft', error } : { tool: 'nft', output: parseRuleset(result.stdout) };
  } catch (error) {
    return { tool: 'nft', error: asHostError(error) };
  }
}
