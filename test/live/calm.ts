/** Whether a look with less is no calmer than the whole one: what differs is unknown and says why, what is missing has a source that says why. */
import { detectors } from '../../source/facts/findings/index.ts';
import type { Container, Endpoint, Finding, Listener, Snapshot } from '../../source/facts/schema.ts';

type Fields = Readonly<Record<string, unknown>>;

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const placeOf = ({ proto, address, port, device }: Listener): string => `${proto} ${address} ${port} ${device ?? ''}`;

/** What is known only together with another field, whose reason is also its own. */
const saidBy: Readonly<Record<string, string>> = {
  process: 'pid',
  containerName: 'containerId',
  containerInterface: 'containerId',
  containerIfindex: 'containerId',
  mac: 'containerId',
  peer: 'containerId',
};

const ruleTexts = ({ rules }: Snapshot): string[] | undefined =>
  rules?.map(({ family, table, chain, number, text }) => `${family} ${table} ${chain} ${number} ${text}`);

/** Compares two looks at one host that did not change. */
class Comparison {
  readonly violations: string[] = [];
  readonly #less: Snapshot;
  readonly #full: Snapshot;

  constructor(full: Snapshot, less: Snapshot) {
    this.#full = full;
    this.#less = less;
  }

  #isWhole(source: string): boolean {
    return this.#less.sources[source]?.state === 'ok';
  }

  #excused(source: string, what: string): void {
    const told = this.#less.sources[source];
    if (told?.state === 'ok' || (told?.reason ?? '') === '')
      this.violations.push(`${what}, and ${source} does not say why`);
  }

  /** Each field is the same; or absent, null or a part of what it was, and `unknown` or one of the sources says why. */
  #fields(what: string, full: Fields, less: Fields, sources: readonly string[], skip: readonly string[] = []): void {
    const reasons = (less['unknown'] ?? {}) as Readonly<Record<string, string>>;
    for (const name of new Set([...Object.keys(full), ...Object.keys(less)])) {
      if (name === 'unknown' || skip.includes(name) || equal(full[name], less[name])) continue;
      const isTold = (reasons[saidBy[name] ?? name] ?? '') !== '';
      const isGone = less[name] === undefined || less[name] === null;
      const because = isTold || sources.some(source => !this.#isWhole(source));
      if (isGone ? because : isTold && isPart(full[name], less[name])) continue;
      this.violations.push(`${what}.${name}: ${JSON.stringify(full[name])} has become ${JSON.stringify(less[name])}`);
    }
  }

  #listeners(what: string, full: readonly Listener[], less: readonly Listener[], isExcused: boolean): void {
    for (const theirs of full) {
      const ours = less.find(each => placeOf(each) === placeOf(theirs));
      if (!ours) {
        if (!isExcused) this.violations.push(`${what} ${placeOf(theirs)} has gone`);
        continue;
      }
      const name = `${what} ${placeOf(theirs)}`;
      this.#fields(name, theirs, ours, ['processes', 'sockets', 'docker'], ['owner', 'target', 'unit']);
      const [was, is] = [theirs.owner, ours.owner];
      if (is.kind === 'unknown' ? (is.reason ?? '') === '' : !isOwnerPart(was, is))
        this.violations.push(`${name}: owner ${JSON.stringify(was)} has become ${JSON.stringify(is)}`);
    }
    for (const ours of less)
      if (!full.some(theirs => placeOf(ours) === placeOf(theirs)))
        this.violations.push(`${what} ${placeOf(ours)} was not there`);
  }

  #container(full: Container, less: Container): void {
    this.#fields(full.name, full, less, ['docker', 'processes'], ['endpoints', 'listeners', 'processes', 'netns']);
    if (full.listeners && less.listeners)
      this.#listeners(
        `${full.name} listener`,
        full.listeners,
        less.listeners,
        less.unknown?.['listeners'] !== undefined,
      );
    else if (full.listeners && (less.unknown?.['listeners'] ?? '') === '')
      this.violations.push(`${full.name}: its listeners are unknown without a reason`);
    for (const theirs of full.endpoints) {
      const ours = less.endpoints.find(({ network }: Endpoint) => network === theirs.network);
      if (!ours) this.violations.push(`${full.name} is not on ${theirs.network} any more`);
      else this.#fields(`${full.name} on ${theirs.network}`, theirs, ours, []);
    }
  }

  #facts(): void {
    const [full, less] = [this.#full, this.#less];
    this.#fields('host', full.host, less.host, ['docker', 'vitals', 'kernel'], ['loadAverage', 'memory', 'root']);
    if (less.host.docker === null) this.#excused('docker', 'no daemon');
    for (const theirs of full.containers) {
      const ours = less.containers.find(({ id }) => id === theirs.id);
      if (ours) this.#container(theirs, ours);
      else this.#excused('docker', `container ${theirs.name} has gone`);
    }
    for (const theirs of full.networks) {
      const ours = less.networks.find(({ id }) => id === theirs.id);
      if (ours) this.#fields(`network ${theirs.name}`, theirs, ours, ['links']);
      else this.#excused('docker', `network ${theirs.name} has gone`);
    }
    for (const theirs of full.links) {
      const ours = less.links.find(({ ifindex }) => ifindex === theirs.ifindex);
      if (ours) this.#fields(`link ${theirs.veth}`, theirs, ours, ['docker']);
      else this.#excused('links', `link ${theirs.veth} has gone`);
    }
    for (const theirs of full.interfaces) {
      const ours = less.interfaces.find(({ ifindex }) => ifindex === theirs.ifindex);
      if (ours) this.#fields(`interface ${theirs.name}`, theirs, ours, ['docker']);
      else this.#excused('links', `interface ${theirs.name} has gone`);
    }
    if (full.listeners && less.listeners)
      this.#listeners('listener', full.listeners, less.listeners, !this.#isWhole('sockets'));
    else if (full.listeners) this.#excused('sockets', 'listeners are unknown');
    this.#rules();
  }

  #rules(): void {
    const [full, less] = [ruleTexts(this.#full) ?? [], ruleTexts(this.#less)];
    if (!less) return this.#excused('netfilter', 'rules are unknown');
    if (!equal(full, less)) this.#excused('netfilter', 'rules are others');
  }

  #finding(finding: Finding): void {
    if (this.#less.findings.some(({ id }) => id === finding.id)) return;
    const detector = detectors.find(({ code }) => code === finding.code);
    const sources = [...(detector?.needs ?? []), ...(detector?.helpedBy ?? [])];
    const isToldOfInside = this.#less.containers.some(
      ({ id, unknown, listeners }) =>
        finding.containerIds.includes(id) &&
        [{ unknown }, ...(listeners ?? [])].some(each => Object.keys(each.unknown ?? {}).length > 0),
    );
    if (!isToldOfInside && sources.every(name => this.#isWhole(name))) this.violations.push(`${finding.id} has gone`);
  }

  run(): string[] {
    this.#facts();
    for (const finding of this.#full.findings) this.#finding(finding);
    const pending = this.#full.findings.filter(({ code }) => code === 'port-conflict-pending');
    for (const { id, code, ports } of this.#less.findings) {
      // Two that ask for one port are rivals; where somebody holds it, that is told instead.
      const isSuperseded =
        code === 'port-conflict-rivals' &&
        ports.every(({ port }) => pending.some(each => each.ports.some(other => other.port === port)));
      if (!isSuperseded && !this.#full.findings.some(finding => finding.id === id))
        this.violations.push(`${id} is made up`);
    }
    return this.violations;
  }
}

/** An array that holds less of the same, or an object of which fields are null. */
function isPart(full: unknown, less: unknown): boolean {
  if (isFields(full) && isFields(less))
    return Object.entries(full).every(([name, value]) => less[name] === null || equal(value, less[name]));
  return Array.isArray(full) && Array.isArray(less) && less.every(item => full.some(other => equal(item, other)));
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same owner, of which less may be said together with a reason. */
function isOwnerPart(full: Listener['owner'], less: Listener['owner']): boolean {
  if (equal(full, less)) return true;
  const named = (['containerId', 'service'] as const).every(
    name => less[name] === undefined || less[name] === full[name],
  );
  // Whom a docker-proxy serves may be unknown.
  const isLess = less.kind === 'docker' && full.via === less.via && (less.reason ?? '') !== '';
  return named && (less.kind === full.kind || isLess);
}

/**
 * What of a look with less is calmer than the whole look, or otherwise not so, one line each; empty when all is well.
 * @param full a look with everything
 * @param less another at the same host, unchanged, with something taken away
 */
export function calmer(full: Snapshot, less: Snapshot): string[] {
  return new Comparison(full, less).run();
}
