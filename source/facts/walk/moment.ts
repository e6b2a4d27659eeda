/** The world of one moment, made once for all who ask about it, each of whose questions is answered once. */
import type { Readings } from '../../host/readings.ts';
import { haveSameItems } from '../sharing.ts';
import { walk, type Question, type Verdict } from './walk.ts';
import { makeWorld, type World } from './world.ts';

type Facts = Parameters<typeof makeWorld>[1];

/** All that `makeWorld` looks at. */
function inputsOf({ docker, links, kernel, netfilter, inside }: Readings, facts: Facts): unknown[] {
  return [
    docker.value,
    links.value?.links,
    links.value?.routes,
    links.value?.rules,
    links.value === undefined,
    links.reason,
    kernel.value,
    netfilter.value,
    netfilter.state,
    netfilter.reason,
    facts.containers,
    facts.interfaces,
    facts.links,
    facts.listeners,
    facts.rules,
    ...Object.entries(inside).flatMap(([id, { value }]) => [id, value]),
  ];
}

/** Those who judge and those who show ask about the same moment, one soon after the other: the newest one is enough. */
let newest: { inputs: readonly unknown[]; world: World } | undefined;

/** The world of these readings: the one that was made last when that was of the very same. @param facts of the same readings */
export function worldAt(readings: Readings, facts: Facts): World {
  const inputs = inputsOf(readings, facts);
  if (!newest || !haveSameItems(newest.inputs, inputs)) newest = { inputs, world: makeWorld(readings, facts) };
  return newest.world;
}

const verdicts = new WeakMap<World, Map<string, Verdict>>();

/** The answer to a question in a world, worked out once. */
export function verdictIn(world: World, question: Question): Verdict {
  const known = verdicts.get(world) ?? new Map<string, Verdict>();
  verdicts.set(world, known);
  const key = JSON.stringify(question);
  const verdict = known.get(key) ?? walk(world, question);
  known.set(key, verdict);
  return verdict;
}
