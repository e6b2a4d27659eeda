/**
 * Runs on the lab's machine and judges: JSON lines in, JSON lines out. Each request {id, questions} reads the host once, as
 * a command of netdash does, and answers {id, verdicts, missing}.
 */
import { createInterface } from 'node:readline';
import { makeWorld, walk, type Question } from '../../source/facts/walk/walk.ts';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { startLive } from '../../source/live/start-live.ts';

async function judge(questions: readonly Question[]) {
  // Its connection to Docker ends with each look.
  const host = createLiveHost({ docker: connectDocker(resolveEndpoint({ env: process.env })) });
  const live = await startLive(host, { once: true });
  try {
    await new Promise<void>(resolve => {
      if (live.getView().ready) resolve();
      live.subscribe(() => live.getView().ready && resolve());
    });
    const readings = live.getReadings();
    const { snapshot } = live.getView();
    const world = makeWorld(readings, snapshot);
    const missing = Object.entries(snapshot.sources).flatMap(([name, { state, reason }]) =>
      state === 'ok' ? [] : [`${name}: ${reason ?? state}`],
    );
    return { missing, verdicts: questions.map(question => walk(world, question)) };
  } finally {
    await live.stop();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, questions } = JSON.parse(line) as { id: number; questions: Question[] };
  process.stdout.write(`${JSON.stringify({ id, ...(await judge(questions)) })}\n`);
}
