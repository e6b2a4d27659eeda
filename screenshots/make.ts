/**
 * Makes the pictures beside this file: the built program in a pseudo-terminal on a real Docker host, driven by keys.
 *
 *     sudo npm run screenshots
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { labRequirement, startLab, type Lab } from '../test/lab/lab.ts';
import { VirtualTerminal } from '../test/ui/virtual-terminal.ts';
import { screenToSvg, svgToPng } from './svg.ts';

const here = dirname(fileURLToPath(import.meta.url));
const bundle = join(here, '..', 'dist', 'netdash.mjs');

/** The program on a screen of its own. */
class Session {
  readonly screen: VirtualTerminal;
  readonly #process: Awaited<ReturnType<Lab['spawnInHost']>>;

  private constructor(screen: VirtualTerminal, process: Awaited<ReturnType<Lab['spawnInHost']>>) {
    this.screen = screen;
    this.#process = process;
    // Chunks may end in the middle of a character.
    process.child.stdout?.setEncoding('utf8').on('data', (text: string) => screen.stdout.write(text));
  }

  /** Opens the dashboard; `script` gives it a terminal, which stty gives a size. */
  static async open(lab: Lab, columns: number, rows: number, ...args: string[]): Promise<Session> {
    const command = [process.execPath, bundle, ...args].join(' ');
    const program = await lab.spawnInHost(
      ['script', '-qefc', `stty cols ${columns} rows ${rows}; exec ${command}`, '/dev/null'],
      { env: { TERM: 'xterm-256color', LANG: 'C.UTF-8' } },
    );
    return new Session(new VirtualTerminal(columns, rows), program);
  }

  /** Types keys one after the other, with time for each to be drawn. */
  async type(...keys: string[]): Promise<void> {
    for (const key of keys) {
      this.#process.child.stdin?.write(key);
      await sleep(150);
    }
    await this.screen.settle();
  }

  /** Writes NAME.svg and NAME.png. */
  async save(name: string): Promise<void> {
    await sleep(400);
    await this.screen.settle();
    const svg = screenToSvg(this.screen.cells());
    writeFileSync(join(here, `${name}.svg`), svg);
    writeFileSync(join(here, `${name}.png`), svgToPng(svg, 1.5));
    process.stderr.write(`${name}\n`);
  }

  async close(): Promise<void> {
    await this.type('q');
    await this.#process.exited;
  }
}

const obstacle = labRequirement();
if (obstacle !== undefined) {
  process.stderr.write(`screenshots: ${obstacle}\n`);
  process.exit(3);
}
const lab = await startLab({ seed: 'mission', hostname: 'docker1' });
try {
  // Ports that nothing listens on count from 15 s after the start of a container.
  await sleep(16_000);
  const wide = await Session.open(lab, 200, 50);
  await wide.screen.until(/myapp2/);
  await sleep(3000);
  await lab.restart('myapp2');
  await wide.screen.until(/32768→327|moved/);
  await sleep(1500);
  await wide.type('1');
  await wide.save('overview');
  for (const [key, name] of [
    ['2', 'links'],
    ['3', 'ports'],
    ['4', 'networks'],
    ['5', 'firewall'],
    ['f', 'findings'],
  ] as const) {
    await wide.type(key, 'z');
    await wide.save(name);
    await wide.type('z');
  }
  await wide.close();

  const page = await Session.open(lab, 160, 45, 'web');
  await page.screen.until(/Overview/);
  await sleep(3000);
  await page.save('container');
  await page.close();

  const small = await Session.open(lab, 80, 24);
  await small.screen.until(/app1/);
  await sleep(2000);
  await small.save('80x24');
  await small.close();
} finally {
  await lab.stop();
}
