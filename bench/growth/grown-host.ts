/**
 * A recorded host, grown: more containers, more rules, more listeners, each made of the recorded ones as the kernel and Docker
 * would tell of them. It answers at the level of files, tools and Docker's API, so that all of netdash runs on it.
 */
import { HostError, type DockerEvent, type Host, type Subscription } from '../../source/host/host.ts';
import type { Recording } from '../../source/host/recording/format.ts';
import { dumpAnswers, netfilterAnswers, socketAnswers } from './grown-answers.ts';
import { Template, type Clone } from './template.ts';

/** How large the host is to be. */
export interface Size {
  containers: number;
  /** Rules of an administrator: addresses that are dropped, in a chain that DOCKER-USER jumps to. */
  rules: number;
  /** Listeners of the host's own programs. */
  listeners: number;
}

/** What the grown host answers, as texts. */
export interface Answers {
  files: Map<string, string>;
  links: Map<string, string>;
  folders: Map<string, string[]>;
  tools: Map<string, string>;
  /** JSON by path. */
  docker: Map<string, string>;
}

const missing = (what: string): HostError => new HostError('missing', `${what}: no such file`);

const orThrow = <T>(value: T | undefined, what: string): Promise<T> =>
  value === undefined ? Promise.reject(missing(what)) : Promise.resolve(value);

const never = (stop: () => void): Subscription => ({ stop, ended: new Promise(() => undefined) });

/** A host that can grow, and whose containers can be restarted. */
export class GrownHost {
  /** CPU ms that making answers took: not netdash's cost. */
  spentMs = 0;
  readonly host: Host;
  readonly #template: Template;
  readonly #size: Size;
  readonly #clones: Clone[];
  #down: Clone | undefined;
  #answers: Answers;
  #serial: number;
  readonly #onEvent = new Set<(event: DockerEvent) => void>();
  readonly #onLine = new Map<string, Set<(line: string) => void>>();

  constructor(recording: Recording, size: Size) {
    this.#template = new Template(recording);
    this.#size = size;
    this.#clones = Array.from({ length: size.containers }, (_, index) => ({ index, serial: index }));
    this.#serial = size.containers;
    this.#answers = this.#make();
    this.host = this.#createHost();
  }

  /** Restarts a container as Docker does: its port, veth, namespace and processes are new ones. Resolves once it runs. */
  async restart(index: number, pause: (ms: number) => Promise<void>): Promise<void> {
    const before = this.#clones[index]!;
    this.#down = before;
    this.#answers = this.#make();
    const container = (action: string): void => this.#tell('container', action, before);
    container('kill');
    container('die');
    this.#tell('network', 'disconnect', before);
    container('stop');
    this.#hint();
    await pause(150);
    this.#serial += 1;
    this.#clones[index] = { index, serial: this.#serial, startedAt: Date.now() };
    this.#down = undefined;
    this.#answers = this.#make();
    this.#tell('network', 'connect', before);
    container('start');
    container('restart');
    this.#hint();
  }

  #make(): Answers {
    const begun = process.cpuUsage();
    const running = this.#clones.filter(clone => clone !== this.#down);
    const template = this.#template;
    const answers: Answers = {
      files: new Map(Object.entries(template.files)),
      links: new Map(Object.entries(template.links)),
      folders: new Map(),
      tools: new Map(),
      docker: new Map(Object.entries(template.docker).map(([path, answer]) => [path, JSON.stringify(answer)])),
    };
    dumpAnswers(answers, template, this.#clones, this.#down);
    netfilterAnswers(answers, template, running, this.#size.rules);
    socketAnswers(answers, template, running, this.#size.listeners);
    const { user, system } = process.cpuUsage(begun);
    this.spentMs += (user + system) / 1000;
    return answers;
  }

  #tell(type: string, action: string, clone: Clone): void {
    const id = this.#template.idOf(clone);
    const event: DockerEvent = {
      type,
      action,
      id: type === 'container' ? id : 'c'.repeat(64),
      attributes: type === 'container' ? { name: `web-${clone.index}` } : { container: id },
      at: Date.now(),
    };
    for (const listener of this.#onEvent) listener(event);
  }

  #hint(): void {
    for (const listeners of this.#onLine.values()) for (const listener of listeners) listener('9: changed');
  }

  #createHost(): Host {
    const answers = (): Answers => this.#answers;
    const [eventListeners, lineListeners] = [this.#onEvent, this.#onLine];
    return {
      kind: 'live',
      name: 'grown',
      uid: 0,
      now: () => Date.now(),
      docker: {
        endpoint: 'unix:///var/run/docker.sock',
        get: async path => JSON.parse(await orThrow(answers().docker.get(path), path)) as unknown,
        events: (_, onEvent, onOpen) => {
          eventListeners.add(onEvent);
          queueMicrotask(() => onOpen?.());
          return never(() => eventListeners.delete(onEvent));
        },
      },
      readFile: path => orThrow(answers().files.get(path), path),
      readFiles: paths => paths.map(path => answers().files.get(path) ?? missing(path)),
      readLinks: paths => paths.map(path => answers().links.get(path) ?? missing(path)),
      list: async path => [...(await orThrow(answers().folders.get(path), path))],
      run: async (tool, args) => {
        const line = [tool, ...args].join(' ');
        return { code: 0, signal: null, stdout: await orThrow(answers().tools.get(line), line), stderr: '' };
      },
      follow: (tool, args, onLine) => {
        const line = [tool, ...args].join(' ');
        const listeners = lineListeners.get(line) ?? new Set();
        lineListeners.set(line, listeners.add(onLine));
        return never(() => listeners.delete(onLine));
      },
    };
  }
}
