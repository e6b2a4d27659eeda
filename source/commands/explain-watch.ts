/** `netdash explain --watch`: tells a verdict again whenever it changes, until it is told to stop. */
import { HostError, type Host } from '../host/host.ts';
import { UsageError } from '../host/usage-error.ts';
import type { Live, LiveView } from '../live/live.ts';
import { startLive } from '../live/start-live.ts';
import { cell, type Line } from '../present/cell.ts';
import { verdictLines } from '../present/verdict-lines.ts';
import { glyphs } from '../terminal/charset.ts';
import { jsonText } from '../terminal/json-text.ts';
import { asLines } from '../terminal/sanitise.ts';
import type { Io } from './command.ts';
import { exitCodes } from './exit.ts';
import { verdictJson, type Answer } from './explain-json.ts';
import { answersTo, nothingReason, type Asked } from './explain.ts';
import { layoutOf, textOf } from './output.ts';
import { stopInTime } from './parting.ts';
import { untilEnded } from './until-ended.ts';
import { unreadForWalk } from './unread.ts';

/**
 * A change is told once it has lasted so long, in ms: the sources are not read at one moment, and while a container starts
 * or stops they do not agree. What starts is read thoroughly only later, so that some of it is unknown until then.
 */
const settleMs = { known: 1000, unknown: 4000 };

interface Options {
  io: Io;
  json: boolean;
  asked: Asked;
  limitMs: number | undefined;
}

/** What was told last about one question. */
interface Told {
  answer: Answer;
  word: Answer['verdict']['verdict'];
  /** Which rule, setting or listener decided. */
  by: string;
}

const keyOf = ({ target, question }: Answer): string => `${target} ${JSON.stringify(question)}`;

function deciderOf({ verdict: { decidedBy } }: Answer): string {
  // A rule that others were put before is the same rule.
  return decidedBy
    ? `${decidedBy.kind} ${decidedBy.inside ?? ''} ${decidedBy.chain ?? ''} ${decidedBy.text ?? decidedBy.detail}`
    : '';
}

/** Follows the host and writes what changes. @returns the exit code */
export async function watchVerdicts(host: Host, options: Options): Promise<number> {
  const live = await startLive(host);
  const watcher = new Watcher(live, options);
  const ended = untilEnded(options.io, options.limitMs).then((): undefined => undefined);
  try {
    const failed = await Promise.race([watcher.failed, ended]);
    if (failed) throw failed;
    return exitCodes.fine;
  } finally {
    watcher.stop();
    await stopInTime(live);
  }
}

class Watcher {
  /** Resolves with what is wrong with what was asked, as far as that shows only with the first readings. */
  readonly failed: Promise<Error>;
  readonly #live: Live;
  readonly #options: Options;
  readonly #told = new Map<string, Told>();
  readonly #unsubscribe: () => void;
  #fail: (error: Error) => void = () => undefined;
  #first = true;
  #stopped = false;
  #nothing = new Set<string>();
  #seen: LiveView['reach'] | undefined;
  /** Changes that have not lasted long enough; since when, on the clock of performance.now(). */
  readonly #young = new Map<string, { word: Told['word']; since: number }>();

  constructor(live: Live, options: Options) {
    this.#live = live;
    this.#options = options;
    this.failed = new Promise(resolve => (this.#fail = resolve));
    this.#unsubscribe = live.subscribe(() => this.#look());
    this.#look();
  }

  stop(): void {
    this.#young.clear();
    this.#stopped = true;
    this.#unsubscribe();
  }

  #look(): void {
    const view = this.#live.getView();
    if (this.#stopped || !view.ready || (view.reach === this.#seen && this.#young.size === 0)) return;
    this.#seen = view.reach;
    const answers = this.#answers(view);
    if (!answers) return;
    const now = new Set(answers.map(keyOf));
    const gone = [...this.#told.values()].filter(({ answer }) => !now.has(keyOf(answer)));
    for (const answer of answers) this.#compare(answer, view);
    for (const told of gone) this.#askOnceMore(told, view);
    for (const key of this.#young.keys()) if (!now.has(key) && !this.#told.has(key)) this.#young.delete(key);
    this.#tellNothing(answers, view);
    this.#first = false;
  }

  /** What is not asked for any more, such as a port that moved, is followed until nobody answers there any more. */
  #askOnceMore({ answer: { target, question }, word }: Told, view: LiveView): void {
    const verdict = view.reach.ask(question);
    const answer: Answer = { target, question, verdict, advice: {} };
    this.#compare(answer, view);
    const isTold = this.#told.get(keyOf(answer))?.word === verdict.verdict;
    if (word !== 'reachable' || (isTold && verdict.verdict !== 'reachable')) this.#told.delete(keyOf(answer));
  }

  /** undefined: what was asked cannot be asked at all. Later a container may be away for a while. */
  #answers({ snapshot, reach }: LiveView): Answer[] | undefined {
    const { targets, from } = this.#options.asked;
    const answers: Answer[] = [];
    for (const target of targets) {
      try {
        answers.push(...answersTo({ targets: [target], ...(from !== undefined && { from }) }, snapshot, reach));
      } catch (error) {
        if (!(error instanceof UsageError) && !(error instanceof HostError)) throw error;
        if (!this.#first) continue;
        this.#fail(error);
        return undefined;
      }
    }
    const { question } = answers[0] ?? {};
    if (this.#first && question) this.#attend(question.to, snapshot);
    return answers;
  }

  /** The first container that is asked for is looked into often, so that a listener that ends there shows at once. */
  #attend({ address, port }: Answer['question']['to'], { containers }: LiveView['snapshot']): void {
    const container = containers.find(
      ({ publishedPorts, endpoints }) =>
        publishedPorts.some(({ hostPort }) => hostPort === port) ||
        endpoints.some(({ ipv4, ipv6 }) => ipv4 === address || ipv6 === address),
    );
    if (container) this.#live.attend({ containerId: container.id, rates: false, counters: false });
  }

  #compare(answer: Answer, view: LiveView): void {
    const key = keyOf(answer);
    const before = this.#told.get(key);
    const word = answer.verdict.verdict;
    const by = deciderOf(answer);
    if (before?.word === word && (before.by === by || word === 'reachable' || word === 'unknown')) {
      this.#young.delete(key);
      return;
    }
    if (!this.#isSettled(key, word)) return;
    this.#young.delete(key);
    this.#told.set(key, { answer, word, by });
    this.#tell(answer, before, view);
  }

  #isSettled(key: string, word: Told['word']): boolean {
    if (this.#first && word !== 'unknown') return true;
    const now = performance.now();
    const known = this.#young.get(key);
    const since = known?.word === word ? known.since : now;
    this.#young.set(key, { word, since });
    const left = since + settleMs[word === 'unknown' ? 'unknown' : 'known'] - now;
    if (left <= 0) return true;
    setTimeout(() => this.#look(), left + 10).unref();
    return false;
  }

  #tell(answer: Answer, before: Told | undefined, { snapshot }: LiveView): void {
    const { io, json } = this.#options;
    const at = snapshot.takenAt;
    if (json) {
      io.stdout.write(jsonText({ at, was: before?.word ?? null, ...verdictJson(answer) }));
      return;
    }
    const was = before ? `was ${before.word} ${glyphs.arrow} ${answer.verdict.verdict}` : answer.verdict.verdict;
    this.#write([
      ...(this.#told.size > 1 || before ? [[]] : []),
      [cell(`${at}  ${answer.target}: ${was}`, 'title')],
      ...verdictLines(answer, snapshot),
    ]);
  }

  /** Of a target without any question, why that is; once, until it has some again. */
  #tellNothing(answers: readonly Answer[], { snapshot }: LiveView): void {
    const without = this.#options.asked.targets.filter(target => !answers.some(answer => answer.target === target));
    const news = without.filter(target => !this.#nothing.has(target));
    this.#nothing = new Set(without);
    if (this.#options.json) return;
    this.#write(
      news.map(target => [cell(`${snapshot.takenAt}  ${target}: nothing to ask: ${nothingReason(target, snapshot)}`)]),
    );
    if (this.#first) this.#write(unreadForWalk(snapshot).map((text): Line => [cell(text)]));
  }

  #write(lines: readonly Line[]): void {
    if (lines.length === 0) return;
    const { io } = this.#options;
    const { charset } = layoutOf(io);
    io.stdout.write(asLines(lines.map(line => textOf(line, charset))));
  }
}
