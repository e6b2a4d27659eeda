/**
 * Who off this host reaches what a snapshot shows: verdicts of the packet walk, worked out when they are first asked for and
 * kept as long as nothing that they rest on changes. Rates and counters that move change none of it.
 */
import type { NetfilterReading, Readings } from '../host/readings.ts';
import type { Snapshot } from './schema.ts';
import { deviceReach, exposureOf, lanQuestions, loopbackQuestions, ownQuestion, placeKey } from './exposure.ts';
import type { Answered, Exposure, Place } from './exposure.ts';
import { settingsOf } from './kernel-settings.ts';
import { serviceOf, type Service, type ServiceClues } from './sensitive-services.ts';
import { adviceFor, type Advice } from './walk/advice.ts';
import { questionsAbout, type From, type Subject } from './walk/subjects.ts';
import { verdictIn, worldAt } from './walk/moment.ts';
import type { Question, Verdict, World } from './walk/walk.ts';

type Facts = Pick<Snapshot, 'containers' | 'links' | 'listeners' | 'interfaces' | 'networks' | 'rules'>;

/** How everybody off this host meets places. The same object as long as nothing that this rests on changes. */
export interface Exposures {
  /** Worked out once for each place. */
  of(place: Place): Exposure;
}

/** A question with its verdict, and what can be done about it. */
export interface Explained extends Answered {
  advice: Advice;
}

/** What a screen or a command asks about one moment's readings. Pure; made by `reachability`. */
export interface Reachability {
  /** The verdict on a question of one's own, with the counters of the deciding rule as they are now. */
  ask(question: Question): Verdict;
  /** The questions that matter about a subject, answered; without `from`, of this host and of every LAN. */
  explain(subject: Subject, from?: From): Explained[];
  /** What service it is, as far as the process or the port tell. */
  serviceOf(clues: ServiceClues): Service;
  /** Kept from the moment before while only counters moved. */
  readonly exposures: Exposures;
}

/** The objects that verdicts rest on, but for the rules; what is not among them decides none. */
function inputsOf(readings: Readings, facts: Facts): unknown[] {
  const { docker, links, kernel, netfilter } = readings;
  return [
    docker.value?.engine,
    docker.value?.networks,
    facts.containers,
    facts.links,
    facts.listeners,
    facts.interfaces,
    links.value?.links,
    links.value?.routes,
    links.value?.rules,
    settingsOf(kernel.value),
    netfilter.state,
    netfilter.reason,
    ...Object.values(readings.inside).map(({ value }) => value),
  ];
}

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => Object.is(item, b[index]));

/** Whether two readings of the rules differ in nothing but what their counters say. */
function sameRules(a: NetfilterReading | undefined, b: NetfilterReading | undefined): boolean {
  if (a === b) return true;
  if (!a || !b || a.chains.length !== b.chains.length || a.sets !== b.sets || a.ipsets !== b.ipsets) return false;
  return a.chains.every((chain, index) => {
    const other = b.chains[index]!;
    return (
      chain === other ||
      (chain.name === other.name &&
        chain.table === other.table &&
        chain.family === other.family &&
        chain.backend === other.backend &&
        chain.hook === other.hook &&
        chain.priority === other.priority &&
        chain.policy === other.policy &&
        chain.rules.length === other.rules.length &&
        chain.rules.every((rule, place) => {
          const twin = other.rules[place]!;
          return rule === twin || (rule.text === twin.text && rule.handle === twin.handle);
        }))
    );
  });
}

/** The walk over one moment's readings; its world is made for the first question. */
function answering(readings: Readings, facts: Facts): (question: Question) => Verdict {
  let world: World | undefined;
  return question => verdictIn((world ??= worldAt(readings, facts)), question);
}

function makeExposures(readings: Readings, facts: Facts, ask: Reachability['ask']): Exposures {
  const known = new Map<string, Exposure>();
  const answer = (question: Question): Answered => ({ question, verdict: ask(question) });
  const judge = (place: Place): Exposure => {
    const { links } = readings;
    // Without interfaces nobody can be asked, which is not to say that nobody is there.
    if (!links.value) return { word: 'unknown', answers: [], reason: `interfaces: ${links.reason ?? 'not read yet'}` };
    const within = deviceReach(place, facts);
    if (within) return within;
    const questions = lanQuestions(place, facts);
    const own = ownQuestion(place);
    return exposureOf(place, questions.map(answer), facts, own && answer(own));
  };
  const one = (place: Place): Exposure => {
    const key = placeKey(place);
    const before = known.get(key);
    if (before) return before;
    const exposure = judge(place);
    known.set(key, exposure);
    return exposure;
  };
  return { of: one };
}

/** What was made of which inputs. */
interface Kept extends Reachability {
  inputs: readonly unknown[];
  rules: NetfilterReading | undefined;
}

const kept = new WeakMap<Reachability, Kept>();

/**
 * The verdicts of these readings. Costs next to nothing until it is asked.
 * @param facts of the same readings
 * @param before that of the moment before: returned as it is when nothing that verdicts rest on changed
 */
export function reachability(readings: Readings, facts: Facts, before?: Reachability): Reachability {
  const inputs = inputsOf(readings, facts);
  const rules = readings.netfilter.value;
  const last = before && kept.get(before);
  const isStill = last !== undefined && isSame(last.inputs, inputs);
  if (before && isStill && last.rules === rules) return before;
  const ask = answering(readings, facts);
  const exposures = isStill && sameRules(last.rules, rules) ? last.exposures : makeExposures(readings, facts, ask);
  const answer = (question: Question): Explained => {
    const verdict = ask(question);
    return { question, verdict, advice: adviceFor(question, verdict) };
  };
  const explain: Reachability['explain'] = (subject, from) => [
    ...questionsAbout(subject, from, facts).map(answer),
    // That nobody gets to this host's loopback goes without saying.
    ...loopbackQuestions(subject, from, facts)
      .map(answer)
      .filter(({ verdict: { verdict } }) => verdict === 'reachable' || verdict === 'unknown'),
  ];
  const made: Kept = { ask, explain, exposures, serviceOf, inputs, rules };
  kept.set(made, made);
  return made;
}
