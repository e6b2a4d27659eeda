/**
 * The ports that a container's program wants, for modes in which Docker maps nothing and the program binds by itself. Taken from
 * its command line only where that says it outright, else from the image's exposed ports.
 */
import { isIP } from 'node:net';
import type { ContainerReading, Proto } from '../host/readings.ts';

/** A port that a program wants to bind. */
export interface WantedPort {
  proto: Proto;
  port: number;
  /** The address its command line names; absent: not said, so the wildcard as a rule. */
  address?: string;
  /** Where that is from: `its command line` or `its exposed ports`. */
  from: string;
  /** From its exposed ports: a label, which no program need heed. */
  isGuess?: true;
}

/** Programs that bind nothing. A container whose programs are all of these wants no port, whatever its image exposes. */
const idle = new Set(
  'sleep tail cat true false sh bash ash dash zsh top htop watch echo printf exit exec wait trap while until do done then fi if else for read test [ : set export cd mkdir touch rm ls id date env hostname kill'.split(
    ' ',
  ),
);
/** Programs whose `-p` and `--port` name somebody else's port. */
const clients = new Set(
  'curl wget telnet ssh scp sftp rsync ping mysql mysqladmin mysqldump mariadb psql pg_isready pg_dump redis-cli redis-benchmark mongo mongosh ab wrk hey dig nslookup iperf-client amqp-publish mosquitto_pub mosquitto_sub'.split(
    ' ',
  ),
);
const netcat = /^(nc|ncat|netcat)$/;
const wrappers = new Set('tini dumb-init docker-init nohup exec env sudo su-exec gosu setsid time busybox'.split(' '));
const shells = new Set(['sh', 'bash', 'ash', 'dash', 'zsh']);
const portFlags = /^(-p|--?port|--http-port|--listen-port|--server-port|--server\.port)$/;
const placeFlags =
  /^(-l|-b|--?listen|--?bind|--?addr|--http-address|--listen-address|--web\.listen-address|--bind-address)$/;
const hostFlags = /^(--?host|--?bind|-b|--address|--ip|--listen-address|--bind-address|-H)$/;

const base = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const asPort = (text: string | undefined): number | undefined => {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port > 0 && port < 65_536 ? port : undefined;
};
const asAddress = (text: string): string | undefined => {
  const plain = text.replace(/^\[|\]$/g, '');
  if (plain === 'localhost') return '127.0.0.1';
  return isIP(plain) > 0 ? plain : undefined;
};

/** `:80`, `*:80`, `10.0.0.1:80`, `[::1]:80`, `tcp://0.0.0.0:80`; undefined for anything else, names of hosts included. */
function asPlace(text: string): Pick<WantedPort, 'address' | 'port'> | undefined {
  const [, host = '', digits] = /^(?:[a-z]+:\/\/)?(\*|\[[0-9a-fA-F:.]+\]|[\d.]+|localhost)?:(\d+)$/.exec(text) ?? [];
  const port = asPort(digits);
  if (port === undefined) return undefined;
  const address = host === '' || host === '*' ? undefined : asAddress(host);
  return address === undefined ? { port } : { address, port };
}

/** Splits a command into the simple commands it runs: itself, or those of the script of `sh -c`. */
function simpleCommands(command: readonly string[]): string[][] {
  const words = [...command];
  while (
    words[0] !== undefined &&
    (wrappers.has(base(words[0])) || words[0].startsWith('-') || /^\w+=/.test(words[0]))
  ) {
    words.shift();
  }
  const flag = words.findIndex((word, i) => i > 0 && /^-[a-z]*c$/.test(word));
  if (words[0] === undefined || !shells.has(base(words[0])) || flag < 0) return words.length > 0 ? [words] : [];
  const script = words[flag + 1] ?? '';
  return script
    .split(/[;&|\n(){}]+/)
    .map(part => part.split(/\s+/).map(word => word.replace(/^["']|["']$/g, '')))
    .flatMap(part => {
      const rest = part.filter(word => word !== '');
      return simpleCommandOf(rest);
    });
}

/** Takes wrappers, assignments and shell keywords off the front of one simple command. */
function simpleCommandOf(words: string[]): string[][] {
  const rest = [...words];
  const skipped = new Set([...wrappers, 'while', 'until', 'do', 'then', 'if', 'else', '!']);
  while (rest[0] !== undefined && (skipped.has(base(rest[0])) || /^\w+=/.test(rest[0]))) rest.shift();
  return rest.length > 0 ? [rest] : [];
}

/** Whether a command connects to somebody's port and binds none. */
function isClient([program = '', ...args]: readonly string[]): boolean {
  const name = base(program);
  return (
    clients.has(name) || (netcat.test(name) && !args.some(word => /^-[a-zA-Z]*l/.test(word) || word === '--listen'))
  );
}

type Found = Omit<WantedPort, 'from' | 'proto'> & { proto?: Proto };

/** The ports that one simple command names outright. */
function portsOfCommand([program = '', ...args]: readonly string[]): Found[] {
  const name = base(program);
  if (/^(tcp|udp)svd$/.test(name)) return superServer(name === 'udpsvd' ? 'udp' : 'tcp', args);
  const isNetcat = netcat.test(name);
  const proto: Proto | undefined = isNetcat && args.some(word => /^-[a-z]*u/.test(word)) ? 'udp' : undefined;
  const found: Found[] = [];
  let host: string | undefined;
  const words = args.flatMap(word => (/^--?[\w.-]+=/.test(word) ? word.split(/=(.*)/s).slice(0, 2) : [word]));
  for (const [i, word] of words.entries()) {
    const value = words[i + 1] ?? '';
    const place = asPlace(value);
    if (portFlags.test(word) || (isNetcat && /^-[a-z]*p$/.test(word))) {
      const port = asPort(value);
      if (port !== undefined) found.push({ port, proto });
      else if (place) found.push({ ...place, proto });
    } else if (placeFlags.test(word) && place) found.push({ ...place, proto });
    else if (hostFlags.test(word) && asAddress(value) !== undefined) host = asAddress(value);
    const joined = /^-p(\d+)$/.exec(word);
    if (joined && asPort(joined[1]) !== undefined) found.push({ port: Number(joined[1]) });
    if (
      word.startsWith(':') &&
      asPlace(word) &&
      !placeFlags.test(words[i - 1] ?? '') &&
      !portFlags.test(words[i - 1] ?? '')
    ) {
      found.push({ port: Number(word.slice(1)) });
    }
    const listens = /^(tcp|udp)[46]?-(?:listen|l|recvfrom):(\d+)/i.exec(word);
    if (listens?.[1] !== undefined) {
      const bound = /,bind=([^,]+)/.exec(word)?.[1];
      const address = bound === undefined ? undefined : asAddress(bound);
      found.push({
        port: Number(listens[2]),
        proto: listens[1].toLowerCase() as Proto,
        ...(address ? { address } : {}),
      });
    }
    if (word === 'http.server' && words[i - 1] === '-m') found.push({ port: asPort(value) ?? 8000 });
  }
  return found.map(item => (item.address === undefined && host !== undefined ? { ...item, address: host } : item));
}

/** busybox's tcpsvd and udpsvd: `[-flags] ADDRESS PORT PROGRAM`. */
function superServer(proto: Proto, args: readonly string[]): Found[] {
  const at = args.findIndex((word, i) => asAddress(word) !== undefined && asPort(args[i + 1]) !== undefined);
  const address = asAddress(args[at] ?? '');
  const port = asPort(args[at + 1]);
  return address === undefined || port === undefined ? [] : [{ proto, address, port }];
}

/**
 * The ports that a container's program wants to bind in the netns that it is given: those its command line names (`-p 80`,
 * `--port=80`, `--listen 10.0.0.1:80`, `:8080`; a script of `sh -c` too), else its exposed ports, and none when it only runs
 * programs that bind nothing (`sleep`).
 */
export function wantedPorts(container: Pick<ContainerReading, 'command' | 'exposedPorts'>): WantedPort[] {
  const commands = simpleCommands(container.command).filter(words => !isClient(words));
  const found = commands.flatMap(portsOfCommand);
  if (found.length > 0) {
    return found.map(({ proto, port, address }) => ({
      proto: proto ?? container.exposedPorts.find(exposed => exposed.port === port)?.proto ?? 'tcp',
      port,
      ...(address === undefined ? {} : { address }),
      from: 'its command line',
    }));
  }
  // `-p $PORT`: what it wants is in its environment, which is not read; to take another port for it would be a guess.
  if (container.command.some(word => word.includes('$'))) return [];
  if (container.command.length > 0 && commands.every(([program = '']) => idle.has(base(program)))) return [];
  return container.exposedPorts.map(({ proto, port }) => ({ proto, port, from: 'its exposed ports', isGuess: true }));
}
