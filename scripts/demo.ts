/**
 * Makes source/demo/recording.ts, what `--demo` shows: starts the lab with its mission seed, records it while a few things
 * happen, and takes it down. Needs what the lab needs (root, Linux). The file is kept in the repository.
 *   node --import tsx scripts/demo.ts
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, constants } from 'node:zlib';
import { connectDocker } from '../source/host/docker-api.ts';
import { resolveEndpoint } from '../source/host/docker-endpoint.ts';
import { createLiveHost } from '../source/host/live-host.ts';
import type { Recording } from '../source/host/recording/format.ts';
import { parseRecording } from '../source/host/recording/load.ts';
import { recordHost } from '../source/host/recording/record-host.ts';
import { startLive } from '../source/live/start-live.ts';
import { labRequirement, startLab, type Lab } from '../test/lab/lab.ts';

const title = 'demo: a lab host';
const root = join(import.meta.dirname, '..');
/** The recording goes on for so long after the first look at everything. */
const followMs = 36_000;

/** Runs on the lab's machine: records all that netdash asks, for every container as if it were looked at. */
async function record(path: string, version: string): Promise<void> {
  const endpoint = resolveEndpoint({ env: {}, flag: 'unix:///run/docker.sock' });
  const recorded = recordHost(createLiveHost({ docker: connectDocker(endpoint) }), { title, version, frameMs: 250 });
  const once = await startLive(recorded.host, { stateDir: null, once: true });
  while (!once.getView().ready) await sleep(50);
  const { containers } = once.getView().snapshot;
  for (const { id } of containers) await once.inspectRaw(id);
  await once.stop();
  const live = await startLive(recorded.host, { stateDir: null });
  // Whoever made the lab waits for this word before things begin to happen.
  process.stdout.write('following\n');
  const end = performance.now() + followMs;
  const running = containers.filter(({ pid }) => pid > 0);
  for (let turn = 0; performance.now() < end; turn += 1) {
    live.attend({ containerId: running[turn % running.length]?.id, rates: true, counters: turn % 8 === 0 });
    await sleep(2100);
  }
  for (const { id } of live.getView().snapshot.containers) await live.inspectRaw(id).catch(() => undefined);
  await live.stop();
  await writeFile(path, JSON.stringify(recorded.recording()));
}

/** What happens in the demo: a port that moves twice, traffic, a container that comes and goes. */
async function happen(lab: Lab, done: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  void done.then(() => over.abort());
  const traffic = async () => {
    while (!over.signal.aborted) {
      await lab.fetchFrom('lan', lab.addresses.host, 8080).catch(() => undefined);
      await sleep(400);
    }
  };
  const busy = traffic();
  await sleep(6000);
  await lab.restart('myapp2');
  await sleep(9000);
  await lab.run('batch', { publish: ['80'] });
  await sleep(8000);
  await lab.remove('batch');
  await sleep(4000);
  await lab.stop('myapp2');
  await lab.start('myapp2');
  await done;
  await busy;
}

/** Timers of bridges run all the time, and netdash looks at none of them. */
const timers = /"(?:hello|tcn|topology_change|gc)_timer":\s*[\d.]+/g;

/** Leaves out what makes a recording large or is of the machine that made it alone: answers that differ in timers only, mounts. */
function tidy(recording: Recording): Recording {
  const last = new Map<string, string>();
  for (const frame of recording.frames) {
    for (const [path, text] of Object.entries(frame.files ?? {})) {
      if (!/\/(mountinfo|mounts)$/.test(path) || typeof text !== 'string') continue;
      const kept = text.split('\n').filter(line => / (cgroup2?|sysfs|proc) /.test(line));
      frame.files![path] = `${kept.join('\n')}\n`;
    }
    for (const answers of [frame.files, frame.tools]) {
      for (const [question, answer] of Object.entries(answers ?? {})) {
        const text = JSON.stringify(answer).replaceAll(/\\"/g, '"').replaceAll(timers, '');
        if (last.get(question) === text) delete answers![question];
        last.set(question, text);
      }
    }
  }
  return recording;
}

/** Answers repeat each other far apart, beyond what gzip looks back. */
function pack(recording: Recording): string {
  const text = Buffer.from(JSON.stringify(recording));
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
  return brotliCompressSync(text, { params }).toString('base64');
}

async function make(): Promise<void> {
  const requirement = labRequirement();
  if (requirement !== undefined) throw new Error(requirement);
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const lab = await startLab({ seed: 'mission', hostname: 'demo' });
  try {
    const path = join(lab.dir, 'demo.json');
    const recorder = await lab.spawnInHost(
      [process.execPath, '--import', import.meta.resolve('tsx'), import.meta.filename, '--record', path, version],
      { cwd: root },
    );
    recorder.child.stderr?.pipe(process.stderr);
    for await (const text of recorder.child.stdout ?? []) if (String(text).includes('following')) break;
    await happen(lab, recorder.exited);
    // Where the lab lay on the machine that made the recording is nobody's business.
    const text = (await readFile(path, 'utf8'))
      .replaceAll(lab.dir, '/run/lab')
      .replaceAll(lab.name, 'lab')
      .replaceAll(root, '/usr/lib/netdash');
    await rm(path);
    const packed = pack(tidy(parseRecording(text)));
    await writeFile(
      join(root, 'source', 'demo', 'recording.ts'),
      `/** A recording (brotli, base64) of the lab with its mission seed, made by scripts/demo.ts. */\nexport const demoRecording =\n  '${packed}';\n`,
    );
    process.stdout.write(`source/demo/recording.ts: ${Math.round(packed.length / 1024)} kB\n`);
  } finally {
    await lab.stop();
  }
}

const [first, path, version] = process.argv.slice(2);
await (first === '--record' ? record(path!, version!) : make());
