/** What is made step by step, with most of it taken over from the moment before, is what would be made from scratch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, asyncProperty, constantFrom, nat, tuple } from 'fast-check';
import { diffEvents } from '../../source/facts/events.ts';
import { joinFacts, type JoinedFacts } from '../../source/facts/join.ts';
import { reuse, stepping, type Steps } from '../../source/facts/sharing.ts';
import type { Snapshot } from '../../source/facts/schema.ts';
import { portRows } from '../../source/present/port-rows.ts';
import type { ContainerReading, Reading, Readings } from '../../source/host/readings.ts';
import { fixtureHost, hostFixtures } from '../fixtures/hosts.ts';
import { now } from './build.ts';
import { readOnce } from './read-once.ts';
import { walkReadings } from './walk/host.ts';

const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///x' };

/** Something that happens to a host; `which` says to which of its parts. Works on a copy of its own. */
type Change = (readings: Readings, which: number) => void;

const pick = <T>(list: readonly T[] | undefined, which: number): T | undefined =>
  list && list.length > 0 ? list[which % list.length] : undefined;
const containersOf = ({ docker }: Readings): ContainerReading[] => docker.value?.containers ?? [];
const insideOf = ({ inside }: Readings, which: number): Reading<unknown> | undefined =>
  pick(Object.values(inside), which);
const rulesOf = ({ netfilter }: Readings, which: number) =>
  pick(
    netfilter.value?.chains.filter(({ rules }) => rules.length > 0),
    which,
  );
const swap = (list: unknown[] | undefined, which: number): void => {
  const item = list?.splice(which % list.length, 1);
  if (item) list?.push(...item);
};

const changes: Record<string, Change> = {
  'a container stops': (readings, which) => {
    const container = pick(containersOf(readings), which);
    if (!container) return;
    Object.assign(container, { state: 'exited', pid: 0, finishedAt: now, exitCode: 1 });
    delete readings.inside[container.id];
  },
  'a container is started again': (readings, which) => {
    const container = pick(containersOf(readings), which);
    if (!container) return;
    Object.assign(container, { state: 'running', pid: 900_000 + which, startedAt: now + which });
    for (const port of container.publishedPorts) port.hostPort = String(40_000 + (which % 1000));
  },
  'a restarted one is read inside': (readings, which) => {
    const container = pick(containersOf(readings), which);
    const value = container && readings.inside[container.id]?.value;
    if (container && value) value.pid = container.pid;
  },
  'one is renamed': (readings, which) => {
    const container = pick(containersOf(readings), which);
    if (container) container.name = `renamed-${which}`;
  },
  'one is removed': (readings, which) => void containersOf(readings).splice(which % 40, 1),
  'one joins the netns of another': (readings, which) => {
    const [joining, partner] = [pick(containersOf(readings), which), pick(containersOf(readings), which + 1)];
    if (joining && partner) joining.networkMode = `container:${partner.id}`;
  },
  'one moves to the netns of the host': (readings, which) => {
    const container = pick(containersOf(readings), which);
    if (container) Object.assign(container, { networkMode: 'host', endpoints: [] });
  },
  'another address': (readings, which) => {
    const endpoint = pick(pick(containersOf(readings), which)?.endpoints, which);
    if (endpoint) endpoint.ipv4 = `172.17.9.${which % 250}`;
  },
  'an inside is read again': (readings, which) => {
    const reading = insideOf(readings, which);
    if (reading) reading.at = now + which;
  },
  'an inside cannot be read': (readings, which) => {
    const reading = insideOf(readings, which);
    if (reading) Object.assign(reading, { state: 'failed', reason: `not read ${which}` });
    if (which % 2 === 0) delete reading?.value;
  },
  'a listener inside goes': ({ inside }, which) => {
    pick(Object.values(inside), which)?.value?.listeners?.splice(0, 1);
  },
  'an inside is read later and lacks a listener': (readings, which) => {
    const reading = pick(Object.values(readings.inside), which);
    if (reading) reading.at = now + 1000 + which;
    reading?.value?.listeners?.splice(0, 1);
  },
  'a listener inside is of another container': (readings, which) => {
    const socket = pick(pick(Object.values(readings.inside), which)?.value?.listeners, which);
    if (socket) socket.cgroup = `/system.slice/docker-${pick(containersOf(readings), which + 1)?.id}.scope`;
  },
  'a listener inside gets a process': ({ inside, processes }, which) => {
    const socket = pick(pick(Object.values(inside), which)?.value?.listeners, which);
    const process = pick(Object.values(processes.value?.processes ?? {}), which);
    if (socket && process) socket.processes = [{ pid: process.pid, name: process.name }];
  },
  'an interface inside changes': ({ inside }, which) => {
    const item = pick(pick(Object.values(inside), which)?.value?.interfaces, which);
    if (item) item.ifindex += 1;
  },
  'a link goes': ({ links }, which) => void links.value?.links.splice(which % 60, 1),
  'a link comes': ({ links }, which) => {
    const link = pick(links.value?.links, which);
    if (link) links.value?.links.push({ ...link, ifindex: 5000 + which, name: `new${which}` });
  },
  'a link goes down': ({ links }, which) => {
    const link = pick(links.value?.links, which);
    if (link) link.up = !link.up;
  },
  'a link hangs elsewhere': ({ links }, which) => {
    const link = pick(links.value?.links, which);
    if (link) link.master = `br-${which % 3}`;
  },
  'links are listed in another order': ({ links }, which) => swap(links.value?.links, which),
  'a socket goes': ({ sockets }, which) => void sockets.value?.listeners.splice(which % 60, 1),
  'a socket is there twice': ({ sockets }, which) => {
    const socket = pick(sockets.value?.listeners, which);
    if (socket) sockets.value?.listeners.push({ ...socket, inode: which });
  },
  'a socket takes the place of another': ({ sockets }, which) => {
    const socket = pick(sockets.value?.listeners, which);
    if (socket) socket.inode += 1;
  },
  'a socket changes hands': ({ sockets, processes }, which) => {
    const socket = pick(sockets.value?.listeners, which);
    const process = pick(Object.values(processes.value?.processes ?? {}), which);
    if (socket && process) socket.processes = [{ pid: process.pid, name: process.name }];
  },
  'nobody knows whose a socket is': ({ sockets }, which) => {
    const socket = pick(sockets.value?.listeners, which);
    if (socket) delete socket.processes;
    if (sockets.value) sockets.value.ownersReason = `hidden ${which % 2}`;
  },
  'sockets are listed in another order': ({ sockets }, which) => swap(sockets.value?.listeners, which),
  'a process moves to a container': (readings, which) => {
    const process = pick(Object.values(readings.processes.value?.processes ?? {}), which);
    const id = pick(containersOf(readings), which)?.id;
    if (process) process.cgroup = `/system.slice/docker-${id}.scope`;
  },
  'a process goes': ({ processes }, which) => {
    const process = pick(Object.values(processes.value?.processes ?? {}), which);
    if (process) delete processes.value?.processes[process.pid];
  },
  'a proxy goes': ({ processes }, which) => void processes.value?.proxies.splice(which % 40, 1),
  'a rule goes': (readings, which) => {
    const chain = rulesOf(readings, which);
    chain?.rules.splice(which % chain.rules.length, 1);
    chain?.rules.forEach((rule, place) => (rule.number = place + 1));
  },
  'a rule counts': (readings, which) => {
    const rule = pick(rulesOf(readings, which)?.rules, which);
    if (rule) rule.packets = (rule.packets ?? 0) + 1;
  },
  'a rule is moved to the end': (readings, which) => {
    const chain = rulesOf(readings, which);
    swap(chain?.rules, which);
    chain?.rules.forEach((rule, place) => (rule.number = place + 1));
  },
  'a chain goes': ({ netfilter }, which) => void netfilter.value?.chains.splice(which % 40, 1),
  'a network goes': ({ docker }, which) => void docker.value?.networks.splice(which % 5, 1),
  'a network is renamed': ({ docker }, which) => {
    const network = pick(docker.value?.networks, which);
    if (network) network.name = `net-${which}`;
  },
  'the daemon is elsewhere': ({ docker }, which) => {
    if (docker.value) docker.value.engine.local = which % 2 === 1;
  },
  'the daemon becomes rootless': ({ docker }) => {
    if (docker.value) docker.value.engine.rootless = !docker.value.engine.rootless;
  },
  'a source has nothing': (readings, which) => {
    const name = (['docker', 'links', 'sockets', 'netfilter', 'processes'] as const)[which % 5]!;
    readings[name] = { state: 'failed', reason: `${name} failed` };
  },
};

/** As the sources do it: what is equal stays the same object. */
const readAgain = (before: Readings, after: Readings): Readings => reuse(before, after);

const step = tuple(constantFrom(...Object.keys(changes)), nat(997));
/** Rates rest on what was read before, by their nature. */
const settled = (facts: JoinedFacts): JoinedFacts => ({ ...facts, traffic: {} });

const shownOf = (facts: JoinedFacts): Snapshot => ({ ...facts, findings: [], portChanges: [] });

async function follow(first: Readings, all: readonly (readonly [string, number])[]): Promise<void> {
  let readings = first;
  let steps: Steps | undefined;
  const join = (): JoinedFacts => {
    const next = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
    const facts = joinFacts(readings, { now, host }, stepping(steps, next));
    steps = next;
    return facts;
  };
  let last = shownOf(join());
  for (const [name, which] of all) {
    const changed = structuredClone(readings);
    changes[name]!(changed, which);
    readings = readAgain(readings, changed);
    assert.deepEqual(readings, changed);
    const facts = join();
    assert.deepEqual(settled(facts), settled(joinFacts(structuredClone(readings), { now, host })), `after: ${name}`);
    // The Ports pane keeps the rows of what has not changed.
    const shown = shownOf(facts);
    assert.deepEqual(portRows(shown), portRows(structuredClone(shown)), `Ports pane after: ${name}`);
    // Events are found without looking at what is the very same.
    const events = diffEvents(structuredClone(last), structuredClone(shown));
    assert.deepEqual(diffEvents(last, shown), events, `events after: ${name}`);
    last = shown;
    const again = join();
    for (const part of Object.keys(settled(facts)) as (keyof JoinedFacts)[]) {
      if (part !== 'sources') assert.equal(again[part], facts[part], `${part} is made anew for nothing after: ${name}`);
    }
  }
  await Promise.resolve();
}

test('what one container shows of another follows that other one', async () => {
  const first = walkReadings({ containers: 2 });
  await follow(first, [
    ['a listener inside is of another container', 0],
    ['one is renamed', 1],
    ['one joins the netns of another', 0],
    ['an inside is read later and lacks a listener', 0],
    ['an inside is read later and lacks a listener', 1],
    ['one is renamed', 3],
  ]);
});

test('facts made step by step are those made from scratch, whatever happens to a made-up host', async () => {
  const first = walkReadings({ containers: 4 });
  await check(
    asyncProperty(array(step, { minLength: 1, maxLength: 12 }), all => follow(first, all)),
    { numRuns: 80 },
  );
});

test('facts made step by step are those made from scratch, whatever happens to a recorded host', async () => {
  for (const name of hostFixtures) {
    const first = await readOnce(await fixtureHost(name));
    await check(
      asyncProperty(array(step, { minLength: 1, maxLength: 10 }), all => follow(first, all)),
      { numRuns: 2 },
    );
  }
});
