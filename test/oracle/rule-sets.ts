/**
 * Rule sets that administrators write, kept in test/fixtures/rulesets/NAME/:
 *   about.txt      what it is and what its author wanted; the first line is its title. Lines that begin so are read:
 *                  `outside: …`  uses what netdash does not evaluate, so that verdicts may be unknown
 *                  `needs: …`    a kernel may lack this; the rule set is left out where it cannot be loaded
 *   steps.txt      programs to run first, one a line, without a shell: sysctl, ip, ipset
 *   v4.rules, v6.rules              for iptables-restore --noflush: beside what is there
 *   legacy-v4.rules, legacy-v6.rules  for the programs of the older kind, in tables of their own
 *   rules.nft      for nft -f
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FirewallTree } from './firewall-tree.ts';
import { listenForMatrix } from './matrix.ts';
import { SaveText } from './save-text.ts';
import type { Stage } from './stage.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'rulesets');

export interface RuleSet {
  name: string;
  title: string;
  /** What is used of that netdash does not evaluate; undefined when all can be judged. */
  outside: string | undefined;
  /** What a kernel may lack. */
  needs: string | undefined;
  /** More to ask than of every rule set. */
  also: { from: string; address: string; port: number; proto: 'tcp' | 'udp' }[];
  /** By file name; absent ones have no entry. */
  files: ReadonlyMap<string, string>;
}

const field = (about: string, name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(about)?.[1];

/** All of them, by name. */
export async function readRuleSets(): Promise<RuleSet[]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async name => {
      const files = new Map<string, string>();
      for (const file of await readdir(join(folder, name))) {
        files.set(file, await readFile(join(folder, name, file), 'utf8'));
      }
      const about = files.get('about.txt');
      if (about === undefined) throw new Error(`${name} has no about.txt`);
      const title = about.slice(0, about.indexOf('\n'));
      const also = [...about.matchAll(/^also: (\S+) (\S+) (\d+)\/(tcp|udp)$/gm)].map(
        ([, from = '', address = '', port, proto]) => ({
          from,
          address,
          port: Number(port),
          proto: proto === 'udp' ? ('udp' as const) : ('tcp' as const),
        }),
      );
      return { name, title, also, outside: field(about, 'outside'), needs: field(about, 'needs'), files };
    }),
  );
}

/** Brings a host back to what Docker made of it, and loads rule sets. */
export class RuleLoader {
  readonly #stage: Stage;
  readonly #tree: FirewallTree;
  readonly #tables: ReadonlySet<string>;
  readonly #sysctls: string;
  readonly #rules: string;
  readonly #links: ReadonlySet<string>;
  readonly #pids: readonly string[];
  #hasLegacy = false;

  private constructor(
    stage: Stage,
    tree: FirewallTree,
    tables: readonly string[],
    sysctls: string,
    rules: string,
    links: readonly string[],
    pids: readonly string[],
  ) {
    this.#stage = stage;
    this.#tree = tree;
    this.#tables = new Set(tables);
    this.#sysctls = sysctls;
    this.#rules = rules;
    this.#links = new Set(links);
    this.#pids = pids;
  }

  /** To be made while the host is as Docker left it. */
  static async start(stage: Stage, tree: FirewallTree): Promise<RuleLoader> {
    const say = async (...command: string[]) => (await stage.lab.inHost(command)).stdout;
    const settings = await say('sh', '-c', 'sysctl -a 2>/dev/null');
    const sysctls = settings
      .split('\n')
      .filter(line => settable.test(line))
      .join('\n');
    await listenForMatrix(stage);
    const rules = await say('ip', 'rule');
    // Of those whose neighbours rules of IPv6 can hide.
    const pids = await Promise.all(
      [...stage.actors.values()]
        .filter(({ addresses }) => addresses.some(address => address.includes(':')))
        .map(async ({ name }) => String((await stage.lab.inspect(name)).State.Pid)),
    );
    return new RuleLoader(stage, tree, await tablesOf(stage), sysctls, rules, await linksOf(stage), pids);
  }

  async #must(command: readonly string[], input?: string): Promise<void> {
    const result = await this.#stage.lab.inHost(command, input === undefined ? {} : { input });
    if (result.code !== 0) throw new Error(`${command.join(' ')}: ${result.stderr || result.stdout}`);
  }

  /** Takes everything away that a rule set brought. */
  async reset(): Promise<void> {
    const { lab, baseline } = this.#stage;
    for (const family of [4, 6] as const) {
      await this.#must(
        [family === 4 ? 'iptables-restore' : 'ip6tables-restore'],
        new SaveText(baseline[family]).toString(),
      );
    }
    const foreign = (await tablesOf(this.#stage)).filter(table => !this.#tables.has(table) && !ofIptables.test(table));
    await this.#must(['nft', '-f', '-'], foreign.map(table => `delete table ${table}\n`).join(''));
    // Tables of the older kind come to be when they are first asked for; most hosts have none.
    for (const [, [program = '']] of this.#hasLegacy ? legacyLoaders : []) {
      await this.#tree.must([program], new SaveText('').toString());
    }
    // Elements of sets are gone with them; a set that a rule still used would be told here.
    await this.#tree.must(['ipset', 'destroy']);
    await this.#must(['sysctl', '-q', '-p', '-'], this.#sysctls);
    const rules = (await lab.inHost(['ip', 'rule'])).stdout;
    for (const line of rules.split('\n')) {
      if (line !== '' && !this.#rules.includes(line))
        await this.#must(['ip', 'rule', 'del', 'pref', line.split(':')[0] ?? '']);
    }
    for (const link of await linksOf(this.#stage)) {
      if (!this.#links.has(link)) await lab.inHost(['ip', 'link', 'del', link]);
    }
    // Of the last scene nothing shall be known: no connection, no neighbour.
    await this.#tree.must(['conntrack', '-F']);
    const flush = [
      'ip neigh flush all',
      'nsenter --net=/run/netns/lan ip neigh flush all',
      'for pid; do nsenter -t "$pid" --net ip neigh flush all; done',
    ];
    await this.#must(['sh', '-c', flush.join('; '), 'sh', ...this.#pids]);
  }

  /** Loads a rule set. @throws with what the program said that would not take it */
  async load(set: RuleSet): Promise<void> {
    for (const line of (set.files.get('steps.txt') ?? '').split('\n')) {
      const command = line.replace(/#.*/, '').trim().split(/\s+/);
      if (command[0] === 'ipset') await this.#tree.must(command);
      else if (command[0] !== '') await this.#must(command);
    }
    for (const [file, program] of loaders) {
      const text = set.files.get(file);
      if (text !== undefined) await this.#must(program, text);
    }
    for (const [file, program] of legacyLoaders) {
      const text = set.files.get(file);
      if (text === undefined) continue;
      this.#hasLegacy = true;
      await this.#tree.must(program, text);
    }
  }
}

const loaders: [file: string, program: string[]][] = [
  ['v4.rules', ['iptables-restore', '--noflush']],
  ['v6.rules', ['ip6tables-restore', '--noflush']],
  ['rules.nft', ['nft', '-f', '-']],
];
const legacyLoaders: [file: string, program: string[]][] = [
  ['legacy-v4.rules', ['iptables-legacy-restore', '--noflush']],
  ['legacy-v6.rules', ['ip6tables-legacy-restore', '--noflush']],
];

// Tables of these names are flushed by iptables-restore, and hold Docker's rules.
const ofIptables = /^ip6? (raw|mangle|nat|filter)$/;

/** Settings that rule sets change, or hosts differ in. */
const settable =
  /^net\.(ipv4\.ip_forward|ipv6\.conf\.all\.forwarding|ipv[46]\.conf\.[^ ]+\.(rp_filter|forwarding|route_localnet|accept_redirects|send_redirects|accept_source_route|log_martians|accept_ra|disable_ipv6)|ipv4\.conf\.[^ ]+\.arp_[^ ]+|ipv4\.(tcp_syncookies|icmp_[^ ]+)|bridge\.bridge-nf-call-[^ ]+) =/;

async function tablesOf(stage: Stage): Promise<string[]> {
  const { stdout } = await stage.lab.inHost(['nft', 'list', 'tables']);
  return stdout
    .split('\n')
    .map(line => line.replace(/^table /, '').trim())
    .filter(line => line !== '');
}

async function linksOf(stage: Stage): Promise<string[]> {
  const { stdout } = await stage.lab.inHost(['ip', '-j', 'link']);
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
}
