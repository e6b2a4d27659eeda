/** What `ss` (iproute2, ss(8)) knows of sockets beyond /proc/net: IPV6_V6ONLY, the processes that have one open, and its cgroup. */
import { canonicalAddress } from './addresses.ts';
import { HostError, type Host, type ToolResult } from './host.ts';
import { ownText } from './own-text.ts';

/** A process that has a socket open, as file descriptor `fd`. */
export interface Opener {
  pid: number;
  fd: number;
  name: string;
}

/** One line of `ss`. */
export interface SsSocket {
  proto: 'tcp' | 'udp';
  /** As in a SocketReading; `*` is given as `::`, which is what it means of a listener. */
  address: string;
  port: number;
  device?: string;
  state: string;
  /** Only with `-e`. */
  inode?: number;
  /** Of the socket; 0 where `-e` does not say. */
  uid: number;
  v6only?: boolean;
  cgroup?: string;
  /** Absent when a process's name makes it ambiguous who has it open. */
  openers?: Opener[];
}

/**
 * Whether `ss -e` may be used: without a mounted cgroup2 hierarchy it looks up each socket's cgroup in vain, which takes
 * seconds and floods its standard error (lib/fs.c of iproute2 searches /proc/mounts).
 */
export function hasCgroup2(host: Host): boolean {
  const known = cgroup2.get(host);
  if (known && host.now() - known.at < cgroup2Ms && host.now() >= known.at) return known.there;
  const [mounts] = host.readFiles(['/proc/self/mounts']);
  const there = typeof mounts === 'string' && mounts.split('\n').some(line => line.split(' ')[2] === 'cgroup2');
  cgroup2.set(host, { there, at: host.now() });
  return there;
}

/** Whether it was there at a time: with hundreds of containers the table of mounts takes milliseconds to read. */
const cgroup2 = new WeakMap<Host, { there: boolean; at: number }>();
const cgroup2Ms = 60_000;

/**
 * The lines of `ss`, by whatever arguments.
 * @throws HostError when it failed
 */
export function ssLines(what: string, result: ToolResult): SsSocket[] {
  if (result.code !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `ended with status ${result.code}`;
    const complaint = result.stderr.trim().split('\n')[0] ?? '';
    throw new HostError('failed', `${what} ${how}${complaint && `: ${complaint}`}`);
  }
  if (result.stdout !== '' && !result.stdout.endsWith('\n')) {
    throw new HostError('failed', `${what} printed a last line that is cut off`);
  }
  return result.stdout
    .split('\n')
    .map(line => parseSsLine(ownText(line)))
    .filter(socket => socket !== undefined);
}

/** One line of `ss -H -tuln[p][e]`: `tcp LISTEN 0 128 127.0.0.1%lo:80 0.0.0.0:* users:((…)) … v6only:0 <->`; undefined when it is not understood. */
export function parseSsLine(line: string): SsSocket | undefined {
  const match = /^(tcp|udp)\s+(\S+)\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+:\S+(?:\s+(.*))?$/.exec(line);
  if (!match) return undefined;
  const [, proto, state, local, port, rest = ''] = match;
  const bare = local!.replace(/^\[(.*)\](%.*)?$/, '$1$2');
  const zone = bare.indexOf('%');
  const host = zone < 0 ? bare : bare.slice(0, zone);
  const address = host === '*' ? '::' : canonicalAddress(host);
  if (address === undefined) return undefined;
  const { openers, after } = parseUsers(rest);
  const socket: SsSocket = {
    proto: proto as 'tcp' | 'udp',
    address,
    port: Number(port),
    state: state!,
    uid: 0,
  };
  if (openers) socket.openers = openers;
  if (zone >= 0) socket.device = bare.slice(zone + 1);
  const inode = /(?:^|\s)ino:(\d+)(?:\s|$)/.exec(after)?.[1];
  if (inode !== undefined) socket.inode = Number(inode);
  const uid = /(?:^|\s)uid:(\d+)(?:\s|$)/.exec(after)?.[1];
  if (uid !== undefined) socket.uid = Number(uid);
  const said = /\sv6only:([01])(?:\s|$)/.exec(after)?.[1];
  if (said !== undefined) socket.v6only = said === '1';
  // Without -e the two kinds of wildcard are told apart by how they are written (inet_addr_print in misc/ss.c).
  else if (host === '*') socket.v6only = false;
  else if (host === '::') socket.v6only = true;
  const cgroup = /(?:^|\s)cgroup:(\/.*?)(?=\s+v6only:|\s+[<-]-[>-]|\s*$)/.exec(after)?.[1];
  if (cgroup !== undefined) socket.cgroup = cgroup;
  return socket;
}

/** What may follow the list of openers (inet_show_sock in misc/ss.c); too long for a process to have it in its name. */
const afterUsers = /^\s*$|^\s+(?:timer|uid|ino|sk|fwmark|cgroup|v6only):/;

/**
 * `users:(("name",pid=1,fd=2),…)` and what follows it. A name is printed raw and may hold quotes, commas and brackets: up
 * to 15 bytes, as many as `",pid=1,fd=3),(` and `",pid=1,fd=3)) ` have, by which a process would pass for another. So the
 * openers are given only where the text can be read in one way.
 */
function parseUsers(text: string): { openers?: Opener[]; after: string } {
  if (!text.startsWith('users:(')) return { openers: [], after: text };
  const openers: Opener[] = [];
  const entry = /\("(.*?)",pid=(\d+),fd=(\d+)\)(?=,\("|\)(?:\s|$))/y;
  entry.lastIndex = 'users:('.length;
  for (;;) {
    const start = entry.lastIndex;
    const match = entry.exec(text);
    if (!match) return { after: text.slice(start) };
    openers.push({ name: match[1]!, pid: Number(match[2]), fd: Number(match[3]) });
    if (text[entry.lastIndex] !== ')') {
      entry.lastIndex += 1;
      continue;
    }
    const after = text.slice(entry.lastIndex + 1);
    const isClear =
      afterUsers.test(after) && text.slice(0, entry.lastIndex).split(',pid=').length === openers.length + 1;
    return isClear ? { openers, after } : { after };
  }
}
