/** Looks into containers, of which a complete one takes two. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDocker } from '../../source/host/docker.ts';
import type { Host } from '../../source/host/host.ts';
import { readLinks } from '../../source/host/links.ts';
import { InsideSource } from '../../source/live/inside-source.ts';
import { fixtureHost } from '../fixtures/hosts.ts';

test('links that are read during the first look into a container do not make that the complete one', async () => {
  const recorded = await fixtureHost('20');
  const { value: docker } = await readDocker(recorded);
  const { value: links } = await readLinks(recorded);
  const running = docker.containers.filter(({ pid, networkMode }) => pid > 0 && networkMode !== 'host');
  const atOnce = new Map<string, number>();
  let mostAtOnce = 0;
  let source: InsideSource | undefined = undefined;
  // Of each look, what is first read tells that it is under way.
  const host: Host = {
    ...recorded,
    readFile: async path => {
      const [, pid = ''] = /^\/proc\/(\d+)\/net\//.exec(path) ?? [];
      const count = (atOnce.get(`${pid} ${path}`) ?? 0) + 1;
      atOnce.set(`${pid} ${path}`, count);
      mostAtOnce = Math.max(mostAtOnce, count);
      source?.linksRead();
      await new Promise(resolve => setTimeout(resolve, 1));
      atOnce.set(`${pid} ${path}`, count - 1);
      return recorded.readFile(path);
    },
  };
  const done = new Promise<void>(resolve => {
    source = new InsideSource({
      host,
      thorough: true,
      hostLinks: () => links.links,
      onReading: () => source!.complete && resolve(),
    });
  });
  const inside: InsideSource = source!;
  inside.follow(running.map(({ id, pid }) => ({ id, pid })));
  await done;
  inside.stop();
  const readings = Object.values(inside.readings);
  assert.equal(readings.length, running.length);
  for (const { value, reason } of readings) {
    assert.ok(value?.processes ?? value?.processesReason, `no processes of ${value?.containerId}: ${reason}`);
  }
  assert.equal(mostAtOnce, 1, 'a container was read twice at once');
});
