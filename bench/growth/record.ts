/**
 * Makes bench/growth/host.json.gz, what the growth bench grows: all that netdash asks of a lab host with one container
 * and one listener of its own. Needs what the lab needs (root, Linux). The file is kept in the repository; it is made anew when a reader asks
 * the host for something else.
 *   node --import tsx bench/growth/record.ts
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import type { Recording } from '../../source/host/recording/format.ts';
import { packRecording, parseRecording } from '../../source/host/recording/load.ts';
import { recordHost } from '../../source/host/recording/record-host.ts';
import { startLive } from '../../source/live/start-live.ts';
import { labRequirement, startLab } from '../../test/lab/lab.ts';

const root = join(import.meta.dirname, '..', '..');

/** Runs on the lab's machine. */
async function record(path: string, version: string): Promise<void> {
  const endpoint = resolveEndpoint({ env: {}, flag: 'unix:///run/docker.sock' });
  const recorded = recordHost(createLiveHost({ docker: connectDocker(endpoint) }), { title: 'growth', version });
  const once = await startLive(recorded.host, { stateDir: null, once: true });
  while (!once.getView().ready) await sleep(50);
  const [container] = once.getView().snapshot.containers;
  await once.stop();
  const live = await startLive(recorded.host, { stateDir: null });
  live.attend({ containerId: container!.id, rates: true, counters: true });
  await sleep(16_000);
  await live.stop();
  await writeFile(path, JSON.stringify(recorded.recording()));
}

/** Leaves out what is of the machine that made it alone: its mounts, and where its own cgroups hang. */
function tidy(recording: Recording): Recording {
  for (const { files = {} } of recording.frames) {
    for (const [path, text] of Object.entries(files)) {
      if (typeof text !== 'string') continue;
      if (/\/(mountinfo|mounts)$/.test(path)) {
        files[path] = `${text
          .split('\n')
          .filter(line => / (cgroup2?|sysfs|proc) /.test(line))
          .join('\n')}\n`;
      } else if (path.endsWith('/cgroup')) files[path] = text.replaceAll(/^(\d+:[^:]*:)\/(?!lab\/).*$/gm, '$1/');
    }
  }
  return recording;
}

async function make(): Promise<void> {
  const requirement = labRequirement();
  if (requirement !== undefined) throw new Error(requirement);
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const lab = await startLab({ hostname: 'growth' });
  try {
    await lab.networkCreate('app');
    await lab.run('web-000', { network: 'app', publish: ['80'] });
    await lab.listen({ address: '0.0.0.0', port: 9999 });
    // So that its connections are in no table any more, and its start is long past.
    await sleep(20_000);
    const path = join(lab.dir, 'growth.json');
    const argv = [process.execPath, '--import', import.meta.resolve('tsx'), import.meta.filename];
    const { code, stderr } = await lab.inHost([...argv, '--record', path, version], { cwd: root });
    if (code !== 0) throw new Error(stderr);
    const text = (await readFile(path, 'utf8'))
      .replaceAll(lab.dir, '/run/lab')
      .replaceAll(lab.name, 'lab')
      .replaceAll(root, '/usr/lib/netdash');
    await rm(path);
    await writeFile(join(import.meta.dirname, 'host.json.gz'), packRecording(tidy(parseRecording(text))));
  } finally {
    await lab.stop();
  }
}

const [first, path, version] = process.argv.slice(2);
await (first === '--record' ? record(path!, version!) : make());
