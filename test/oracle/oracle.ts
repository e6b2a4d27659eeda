/** Compares netdash's verdicts with what really happens. */
import type { Question, Vantage, Verdict } from '../../source/facts/walk/walk.ts';
import { Random } from './random.ts';
import { makeScene, type Scene } from './scene.ts';
import { internet, setStage, type Stage, type StageOptions } from './stage.ts';

/** A question as the oracle asks it: in whose netns, and what netdash is told of that. */
export interface Case {
  from: string;
  question: Question;
}

/** A case that went wrong. */
export interface Mismatch {
  stage: string;
  seed: number;
  story: string[];
  from: string;
  question: Question;
  verdict: Verdict;
  outcome: string;
}

export interface Tally {
  cases: number;
  reachable: number;
  unknown: number;
  /** Unknown ones by what they hang on. */
  unknownReasons: Map<string, number>;
  mismatches: Mismatch[];
}

const shortMs = 300;
const longMs = 1500;
const veryLongMs = 5000;

async function must(stage: Stage, command: readonly string[], input?: string): Promise<void> {
  const result = await stage.lab.inHost(command, input === undefined ? {} : { input });
  if (result.code !== 0) throw new Error(`${command.join(' ')}: ${result.stderr}`);
}

/** Makes the host what the scene says. */
async function perform(stage: Stage, scene: Scene): Promise<void> {
  const settings = Object.entries(scene.sysctls).map(([key, value]) => `${key}=${value}`);
  await must(stage, ['sysctl', '-q', '-w', ...settings]);
  await must(stage, ['iptables-restore'], scene.rules[4]);
  await must(stage, ['ip6tables-restore'], scene.rules[6]);
  await must(stage, ['nft', '-f', '-'], `table inet oracle {}\ndelete table inet oracle\n${scene.native}`);
  for (const command of scene.routing.make) await must(stage, ['ip', ...command.split(' ')]);
  await Promise.all(Object.entries(scene.listeners).map(([at, sockets]) => stage.listen(at, sockets)));
}

async function clear(stage: Stage, scene: Scene): Promise<void> {
  for (const command of scene.routing.undo) await must(stage, ['ip', ...command.split(' ')]);
}

/** Cases of a scene: any vantage to any target. */
function casesOf(random: Random, stage: Stage, count: number): Case[] {
  const { addresses } = stage.lab;
  const all: Case[] = [];
  const hostTargets = [
    addresses.host,
    addresses.second,
    addresses.host6,
    '127.0.0.1',
    '::1',
    ...stage.bridges.flatMap(each => each.addresses),
  ];
  const hostPorts = [
    ...[
      8080, 8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090, 8070, 9001, 9002, 9003, 9005, 9100, 9200, 9999,
    ].map(port => ({ port, proto: 'tcp' as const })),
    ...[5300, 5301, 5302, 9004, 9006].map(port => ({ port, proto: 'udp' as const })),
  ];
  const containerPorts = [
    { port: 80, proto: 'tcp' as const },
    { port: 88, proto: 'tcp' as const },
    { port: 53, proto: 'udp' as const },
  ];
  const froms = [
    'lan',
    'lan',
    'lan',
    'internet',
    'host',
    'host',
    'web',
    'app1',
    'app2',
    'six1',
    'six2',
    'closed1',
    'inner1',
    'both',
    'mac1',
    'plain1',
  ];
  while (all.length < count) {
    const from = random.pick(froms);
    const isHost = random.chance(0.7);
    const target = isHost ? random.pick(hostPorts) : random.pick(containerPorts);
    const actor = random.pick([...stage.actors.values()].filter(each => each.addresses.length > 0));
    const address = isHost ? random.pick(hostTargets) : random.pick(actor.addresses);
    // To other addresses of the host a UDP program may answer from another one: that is its own affair.
    if (isHost && target.proto === 'udp' && !random.chance(0.1) && !isNatural(stage, from, address)) continue;
    // What goes out to the LAN's router and comes back is the router's affair.
    if (from === 'mac1' && !address.startsWith('10.77.') && !address.startsWith('fd00:77:')) continue;
    // A container's loopback is its own, and so is the neighbour's.
    if ((address === '127.0.0.1' || address === '::1') && from !== 'host') continue;
    all.push({ from, question: { from: vantageOf(stage, from, address), to: { address, ...target } } });
  }
  return all;
}

/** Whether an answer to a UDP question comes from the address that was asked whatever the program does. */
function isNatural(stage: Stage, from: string, address: string): boolean {
  const { host, host6 } = stage.lab.addresses;
  if (from === 'host') return true;
  if (from === 'lan' || from === 'internet' || from === 'mac1') return address === host || address === host6;
  const own = stage.actors.get(from)?.addresses ?? [];
  return own.some(
    each =>
      each.slice(0, each.lastIndexOf(each.includes(':') ? ':' : '.')) ===
      address.slice(0, address.lastIndexOf(address.includes(':') ? ':' : '.')),
  );
}

/** What netdash is told of who asks: `internet` is not on the LAN, `host` is the host itself, others are `lan` or containers. */
export function vantageOf(stage: Stage, from: string, address: string): Vantage {
  if (from === 'host') return { kind: 'loopback' };
  const { lan, lan6 } = stage.lab.addresses;
  if (from === 'lan') return { kind: 'lan', interface: 'eth0', address: address.includes(':') ? lan6 : lan };
  if (from === 'internet') return { kind: 'address', address: internet[address.includes(':') ? 6 : 4] };
  const actor = stage.actors.get(from);
  if (!actor) throw new Error(`nobody is called ${from}`);
  return { kind: 'container', containerId: actor.id };
}

/** Whether what happened is what the verdict says, and for TCP, whether it is not what another reason would give. */
function agrees({ verdict, decidedBy }: Verdict, outcome: string, { proto }: Question['to']): boolean {
  if (verdict === 'unknown') return true;
  if ((verdict === 'reachable') !== (outcome === 'answered')) return false;
  if (proto !== 'tcp' || verdict === 'reachable') return true;
  const isDrop = decidedBy?.kind === 'policy' || (decidedBy?.kind === 'rule' && !/reject/i.test(decidedBy.text ?? ''));
  return !(verdict === 'blocked' && isDrop && outcome === 'refused');
}

/** Plays one scene. */
export async function play(stage: Stage, title: string, seed: number, count: number, tally: Tally): Promise<void> {
  const scene = makeScene(seed, stage);
  const cases = casesOf(new Random(seed + 1), stage, count);
  await perform(stage, scene);
  await compare(stage, { stage: title, seed, story: scene.story }, cases, tally);
  await clear(stage, scene);
}

/** Asks and judges on the host as it is. A disagreement counts when it is still there at a third, most patient look. */
export async function compare(
  stage: Stage,
  scene: Pick<Mismatch, 'stage' | 'seed' | 'story'>,
  cases: readonly Case[],
  tally: Tally,
): Promise<void> {
  const [{ verdicts }, outcomes] = await Promise.all([
    stage.judge(cases.map(({ question }) => question)),
    Promise.all(cases.map(({ from, question }) => ask(stage, from, question, shortMs))),
  ]);
  for (const patience of [longMs, veryLongMs]) {
    const doubtful = cases.flatMap((each, index) =>
      agrees(verdicts[index]!, outcomes[index]!, each.question.to) ? [] : [{ each, index }],
    );
    if (doubtful.length === 0) break;
    const later = await Promise.all(doubtful.map(({ each }) => ask(stage, each.from, each.question, patience)));
    const again = await stage.judge(doubtful.map(({ each }) => each.question));
    doubtful.forEach(({ index }, at) => {
      outcomes[index] = later[at]!;
      verdicts[index] = again.verdicts[at]!;
    });
  }
  cases.forEach(({ from, question }, index) => {
    const verdict = verdicts[index]!;
    const outcome = outcomes[index]!;
    tally.cases += 1;
    if (verdict.verdict === 'reachable') tally.reachable += 1;
    if (verdict.verdict === 'unknown') {
      tally.unknown += 1;
      const reason = verdict.decidedBy?.detail ?? '?';
      tally.unknownReasons.set(reason, (tally.unknownReasons.get(reason) ?? 0) + 1);
    }
    if (!agrees(verdict, outcome, question.to)) tally.mismatches.push({ ...scene, from, question, verdict, outcome });
  });
}

async function ask(stage: Stage, from: string, { to }: Question, timeoutMs: number): Promise<string> {
  if (to.proto === 'sctp') throw new Error('no SCTP here');
  const target = { address: to.address, port: to.port, proto: to.proto };
  if (from !== 'internet') return (await stage.probe(from, target, timeoutMs)).outcome;
  return (await stage.probe('lan', target, timeoutMs, internet[to.address.includes(':') ? 6 : 4])).outcome;
}

export const emptyTally = (): Tally => ({
  cases: 0,
  reachable: 0,
  unknown: 0,
  unknownReasons: new Map(),
  mismatches: [],
});

/** Adds what was counted elsewhere. */
export function addTally(total: Tally, part: Tally): void {
  total.cases += part.cases;
  total.reachable += part.reachable;
  total.unknown += part.unknown;
  total.mismatches.push(...part.mismatches);
  for (const [reason, count] of part.unknownReasons) {
    total.unknownReasons.set(reason, (total.unknownReasons.get(reason) ?? 0) + count);
  }
}

/** Plays a scene for each seed on one stage, as long as `mayGoOn` says so. */
export async function playAll(
  options: StageOptions,
  seeds: readonly number[],
  casesPerScene: number,
  tally: Tally,
  report: (line: string) => void = () => undefined,
  mayGoOn: () => boolean = () => true,
): Promise<void> {
  const stage = await setStage(options);
  try {
    for (const seed of seeds) {
      if (!mayGoOn()) return report(`${options.title}: the time is up`);
      const before = tally.mismatches.length;
      await play(stage, options.title, seed, casesPerScene, tally);
      report(`${options.title}, seed ${seed}: ${casesPerScene} cases, ${tally.mismatches.length - before} wrong`);
      for (const mismatch of tally.mismatches.slice(before)) report(mismatchText(mismatch));
    }
  } finally {
    await stage.stop();
  }
}

/** A mismatch with all that is needed to see it again. */
export function mismatchText(mismatch: Mismatch): string {
  const { stage, seed, story, from, question, verdict, outcome } = mismatch;
  const { address, port, proto } = question.to;
  return [
    `${from} → ${address} port ${port}/${proto}: netdash says ${verdict.verdict}, and it was ${outcome} (${stage}, seed ${seed})`,
    ...story.map(line => `    ${line}`),
    ...verdict.path.map(({ hop, ok, detail }) => `  ${ok ? '✓' : '✗'} ${hop}: ${detail}`),
    `  decided by: ${JSON.stringify(verdict.decidedBy)}`,
  ].join('\n');
}
