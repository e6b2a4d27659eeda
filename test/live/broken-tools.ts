/** The tools of a lab's machine as netdash finds them, each of which can be made to fail in every way that tools fail. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../lab/lab.ts';

/** The tools that netdash runs on a host such as the lab's. */
export const tools = ['ip', 'ss', 'nft', 'iptables-save', 'ip6tables-save', 'nsenter'] as const;
export type BrokenTool = (typeof tools)[number];

/** What a broken tool does instead of its work; `missing` is none of these: it is not there at all. */
const scripts = {
  crashes: () => 'kill -SEGV $$',
  fails: () => 'echo no >&2; exit 1',
  'says nothing': () => 'exit 0',
  hangs: () => 'exec sleep 600',
  // The tool itself, as root without a single capability.
  'is powerless': (real, folder) =>
    `exec ${join(folder, 'real', 'bin', 'setpriv')} --bounding-set=-all --inh-caps=-all ${real} "$@"`,
  // What came out is whole lines less the last ones, and nothing tells that it was cut.
  'stops half-way': real => `${real} "$@" >"$0.$$"; head -c "$(( $(wc -c <"$0.$$") / 2 ))" "$0.$$"; rm "$0.$$"`,
} satisfies Record<string, (real: string, folder: string) => string>;
export type ToolFault = keyof typeof scripts | 'missing';
export const toolFaults = [...(Object.keys(scripts) as (keyof typeof scripts)[]), 'missing'] as const;

/**
 * Stand-ins for /usr/bin and /usr/sbin. Whoever is started through `argv` has them in the place of the real ones, in a mount
 * namespace of its own, so that a tool that is taken away is nowhere to be found; everybody else keeps the machine as it is.
 */
export class BrokenTools {
  readonly #folder: string;
  /** Where each tool is for whoever has the stand-ins, and what does its work. */
  readonly #places: ReadonlyMap<BrokenTool, { shown: string; real: string }>;

  private constructor(folder: string, places: ReadonlyMap<BrokenTool, { shown: string; real: string }>) {
    this.#folder = folder;
    this.#places = places;
  }

  static async on(lab: Lab): Promise<BrokenTools> {
    const folder = join(lab.dir, 'tools');
    for (const name of ['bin', 'sbin']) {
      for (const kind of ['real', 'shown']) mkdirSync(join(folder, kind, name), { recursive: true });
      const { code, stderr } = await lab.inHost([
        'sh',
        '-c',
        'mount --bind "$2" "$1/real/$3" && chmod 755 "$1" && ln -s "$1/real/$3"/* "$1/shown/$3/"',
        'sh',
        folder,
        `/usr/${name}`,
        name,
      ]);
      assert.equal(code, 0, stderr);
    }
    const places = new Map<BrokenTool, { shown: string; real: string }>();
    for (const tool of tools) {
      const name = ['bin', 'sbin'].find(each => existsSync(join('/usr', each, tool)));
      // A tool that is not installed here is one that the lab has unpacked.
      const { stdout } = await lab.inHost(['sh', '-c', 'command -v "$1"', 'sh', tool]);
      const real = name === undefined ? stdout.trim() : join(folder, 'real', name, tool);
      assert.notEqual(real, '', `no ${tool} here`);
      places.set(tool, { shown: join(folder, 'shown', name ?? 'sbin', tool), real });
    }
    const stand = new BrokenTools(folder, places);
    stand.mend();
    chmodSync(join(folder, 'calls'), 0o666);
    return stand;
  }

  /** argv that runs a command where the stand-ins are. */
  argv(command: readonly string[]): string[] {
    const shown = join(this.#folder, 'shown');
    const script = `mount --bind "$1/bin" /usr/bin && mount --bind "$1/sbin" /usr/sbin && shift && exec "$@"`;
    return ['unshare', '--mount', 'sh', '-c', script, 'sh', shown, ...command];
  }

  /** The environment in which no other folder has the tools. */
  readonly env = { PATH: '/usr/sbin:/usr/bin' };

  #placeOf(tool: BrokenTool): { shown: string; real: string } {
    return this.#places.get(tool) ?? assert.fail(`no ${tool} here`);
  }

  /** Breaks a tool from now on. */
  break(tool: BrokenTool, fault: ToolFault): void {
    const { shown, real } = this.#placeOf(tool);
    rmSync(shown, { force: true });
    if (fault === 'missing') return;
    const script = scripts[fault](real, this.#folder);
    writeFileSync(shown, `#!/bin/sh\necho ${tool} >>${this.#folder}/calls\n${script}\n`, { mode: 0o755 });
  }

  /** All tools are themselves again. */
  mend(): void {
    for (const tool of tools) {
      const { shown, real } = this.#placeOf(tool);
      rmSync(shown, { force: true });
      // No symbolic link: the lab's own scripts find what they run beside themselves. Without -p it would be root again where only the effective user is another.
      writeFileSync(shown, `#!/bin/sh -p\nexec ${real} "$@"\n`, { mode: 0o755 });
    }
    writeFileSync(join(this.#folder, 'calls'), '');
  }

  /** How often a tool was called since it is broken; one that is missing is not called. */
  calls(tool: BrokenTool): number {
    return readFileSync(join(this.#folder, 'calls'), 'utf8')
      .split('\n')
      .filter(line => line === tool).length;
  }
}
