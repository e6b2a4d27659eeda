/** The one container of the recorded host: what is its own, and how the same looks for another container. */
import { createHash } from 'node:crypto';
import type { Recording } from '../../source/host/recording/format.ts';

/** A container beside the recorded one. Every number of it is made of `serial`, which no two runs of containers share. */
export interface Clone {
  /** 0 is the recorded container. */
  index: number;
  serial: number;
  /** ms since the epoch at which this run of it began; absent: when the recorded one began. */
  startedAt?: number;
}

const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

const word = (text: string): RegExp => new RegExp(String.raw`\b${text.replaceAll('.', String.raw`\.`)}\b`, 'g');

/** Takes the first match. @throws when the recording has no such thing, as after a change of what is recorded */
function found(text: string | undefined, pattern: RegExp): string {
  const match = pattern.exec(text ?? '');
  if (!match) throw new Error(`the recording has no ${pattern.source}: make it anew (bench/growth/record.ts)`);
  return match[1]!;
}

/** What is the recorded container's own. */
export class Template {
  readonly files: Record<string, string> = {};
  readonly links: Record<string, string> = {};
  readonly tools: Record<string, string> = {};
  readonly docker: Record<string, unknown> = {};
  readonly id: string;
  readonly pid: string;
  readonly ip: string;
  readonly veth: string;
  readonly port: string;
  readonly proxies: string[];
  readonly inodes: string[];
  readonly ifindexes: { inside: number; host: number };
  readonly #own: RegExp;
  readonly #tokens: [RegExp, (clone: Clone) => string][];

  constructor(recording: Recording) {
    const [frame] = recording.frames;
    for (const [path, text] of Object.entries(frame?.files ?? {}))
      if (typeof text === 'string') this.files[path] = text;
    for (const [path, text] of Object.entries(frame?.links ?? {}))
      if (typeof text === 'string') this.links[path] = text;
    for (const [line, result] of Object.entries(frame?.tools ?? {})) {
      if ('stdout' in result) this.tools[line] = result.stdout;
    }
    for (const [path, answer] of Object.entries(frame?.docker ?? {})) {
      if ('answer' in answer) this.docker[path] = answer.answer;
    }
    const inspectPath = Object.keys(this.docker).find(path => /^\/containers\/[0-9a-f]{64}\/json$/.test(path));
    this.id = found(inspectPath, /([0-9a-f]{64})/);
    const inspect = JSON.stringify(this.docker[inspectPath!]);
    this.pid = found(inspect, /"Pid":(\d+)/);
    this.port = found(inspect, /"HostPort":"(\d+)"/);
    this.ip = found(inspect, /"IPAddress":"(172[^"]+)"/);
    const mac = found(inspect, /"MacAddress":"([0-9a-f:]{17})"/);
    const endpoint = found(inspect, /"EndpointID":"([0-9a-f]{64})"/);
    const sandbox = found(inspect, /"SandboxID":"([0-9a-f]{64})"/);
    const net = `/proc/${this.pid}/root/sys/class/net/eth0`;
    this.ifindexes = { inside: Number(this.files[`${net}/ifindex`]), host: Number(this.files[`${net}/iflink`]) };
    const addr = JSON.parse(this.tools['ip -j -d addr'] ?? '[]') as { ifindex: number; ifname: string }[];
    this.veth = addr.find(({ ifindex }) => ifindex === this.ifindexes.host)?.ifname ?? '';
    const ss = this.tools['ss -H -tulnpe'] ?? '';
    this.proxies = [...ss.matchAll(/"docker-proxy",pid=(\d+)/g)].map(([, pid]) => pid!);
    const proxyInodes = [...ss.matchAll(/"docker-proxy".*? ino:(\d+)/g)].map(([, inode]) => inode!);
    const inside = this.tools[`nsenter -t ${this.pid} -n ss -H -tulne`] ?? '';
    this.inodes = [...proxyInodes, ...[...inside.matchAll(/ ino:(\d+)/g)].map(([, inode]) => inode!)];
    const netns = found(this.links[`/proc/${this.pid}/ns/net`], /(\d+)/);
    const started = found(inspect, /"StartedAt":"([^"]+)"/);
    const own = [this.id, this.veth, this.ip.replaceAll('.', String.raw`\.`), this.port, ...this.inodes];
    this.#own = new RegExp(String.raw`\b(?:${own.join('|')})\b`);
    this.#tokens = [
      [new RegExp(this.id, 'g'), clone => this.idOf(clone)],
      [word(this.id.slice(0, 12)), clone => this.idOf(clone).slice(0, 12)],
      [new RegExp(endpoint, 'g'), ({ serial }) => hex(`endpoint ${serial}`)],
      [new RegExp(sandbox, 'g'), ({ serial }) => hex(`sandbox ${serial}`)],
      [word(sandbox.slice(0, 12)), ({ serial }) => hex(`sandbox ${serial}`).slice(0, 12)],
      [word(this.veth), clone => this.vethOf(clone)],
      [word(this.ip), clone => this.ipOf(clone)],
      [word(mac), ({ index }) => `02:42:ac:12:${byte((index + 2) >> 8)}:${byte((index + 2) & 255)}`],
      [word(this.port), clone => String(this.portOf(clone))],
      [/\bweb-000\b/g, ({ index }) => `web-${String(index).padStart(3, '0')}`],
      [word(netns), ({ serial }) => String(4_026_600_000 + serial)],
      [new RegExp(`"Pid":${this.pid}\\b`, 'g'), clone => `"Pid":${this.pidOf(clone)}`],
      [/\bpid=(\d+)\b/g, clone => String(clone.serial)],
      [word(started), ({ startedAt }) => (startedAt === undefined ? started : new Date(startedAt).toISOString())],
      ...this.inodes.map((inode, place): [RegExp, (clone: Clone) => string] => [
        word(inode),
        ({ serial }) => String(20_000_000 + serial * 10 + place),
      ]),
    ];
  }

  idOf = ({ index }: Clone): string => (index === 0 ? this.id : hex(`container ${index}`));
  pidOf = ({ serial }: Clone): number => 100_000 + serial * 10;
  proxyOf = (clone: Clone, place: number): number => this.pidOf(clone) + 1 + place;
  portOf = ({ serial }: Clone): number => 32_768 + (serial % 20_000);
  ipOf = ({ index }: Clone): string => `172.18.${(index + 2) >> 8}.${(index + 2) & 255}`;
  vethOf = ({ serial }: Clone): string => `veth${(0x1000000 + serial).toString(16).slice(-7)}`;
  /** The container's side and the host's. */
  ifindexOf = ({ serial }: Clone): { inside: number; host: number } => ({
    inside: 1000 + serial * 2,
    host: 1001 + serial * 2,
  });

  /** A text about the recorded container as it would be about this one. */
  dress(text: string, clone: Clone): string {
    let dressed = text;
    for (const [pattern, value] of this.#tokens) {
      if (pattern.source.includes('pid=')) {
        dressed = dressed.replaceAll(pattern, (whole, pid: string) => {
          const place = this.proxies.indexOf(pid);
          return place === -1 ? whole : `pid=${this.proxyOf(clone, place)}`;
        });
      } else dressed = dressed.replaceAll(pattern, () => value(clone));
    }
    return dressed;
  }

  /** Whether a text tells of the recorded container. */
  isAbout(text: string): boolean {
    return this.#own.test(text);
  }
}

const byte = (value: number): string => value.toString(16).padStart(2, '0');
