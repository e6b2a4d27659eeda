/** From the options to the host that is read: this machine with the daemon asked for, or a recording. */
import type { Host } from '../host/host.ts';
import { UsageError } from '../host/usage-error.ts';
import type { Invocation } from './command.ts';
import { version } from './version.ts';

/** A host, and what a recording is called. */
export interface OpenedHost {
  host: Host;
  /** The recording's title. */
  title?: string;
}

/**
 * @param ahead asks this machine at once what the dashboard is going to ask, and returns when that has begun
 * @throws UsageError when the options contradict each other or name something that cannot be used
 */
export async function openHost(invocation: Invocation, { ahead = false } = {}): Promise<OpenedHost> {
  const opened = await openUnlogged(invocation, ahead);
  const file = invocation.options['debug-log'];
  if (typeof file !== 'string') return opened;
  const { createLogFile, lineWriter, logHost } = await import('../host/debug-log.ts');
  const write = lineWriter(createLogFile(file));
  write(Date.now(), { event: `netdash ${version()} on Node ${process.version}, uid ${opened.host.uid}` });
  return { ...opened, host: logHost(opened.host, write) };
}

async function openUnlogged({ options, io }: Invocation, ahead: boolean): Promise<OpenedHost> {
  const { demo, replay, host, context } = options;
  if (demo && replay !== undefined)
    throw new UsageError('--demo and --replay are two recordings: give only one of them');
  if ((demo || replay !== undefined) && (host !== undefined || context !== undefined)) {
    throw new UsageError('a recording needs no Docker daemon: leave --host and --context away');
  }
  if (demo) {
    const [{ brotliDecompressSync }, { demoRecording }, { parseRecording }, { replayHost }] = await Promise.all([
      import('node:zlib'),
      import('../demo/recording.ts'),
      import('../host/recording/load.ts'),
      import('../host/recording/replay-host.ts'),
    ]);
    const recording = parseRecording(brotliDecompressSync(Buffer.from(demoRecording, 'base64')), 'the demo');
    return { host: replayHost(recording), title: recording.title };
  }
  if (typeof replay === 'string') {
    const [{ loadRecording }, { replayHost }] = await Promise.all([
      import('../host/recording/load.ts'),
      import('../host/recording/replay-host.ts'),
    ]);
    const recording = await loadRecording(replay);
    return { host: replayHost(recording), title: recording.title };
  }
  const [{ resolveEndpoint }, { connectDocker }, { createLiveHost }] = await Promise.all([
    import('../host/docker-endpoint.ts'),
    import('../host/docker-api.ts'),
    import('../host/live-host.ts'),
  ]);
  const endpoint = resolveEndpoint({
    env: io.env,
    ...(typeof host === 'string' && { flag: host }),
    ...(typeof context === 'string' && { context }),
  });
  const live = createLiveHost({ docker: connectDocker(endpoint) });
  if (!ahead) return { host: live };
  const { host: asked, begun } = (await import('../host/ahead.ts')).askAhead(live);
  await begun;
  return { host: asked };
}
