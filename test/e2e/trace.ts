/** What strace (with -f and -yy) wrote down, by what it means. */

/** All that a program and its children did beyond reading. Everything is there once. */
export interface Trace {
  /** Programs that were started: path, argv after its first word, and the number of environment variables. */
  executed: { path: string; args: string[]; variables: number }[];
  /** Files and folders that were opened for writing, made, renamed, removed or changed; a rename names both. */
  changed: string[];
  /** Where bytes were written to, by what the descriptor was: a path, `pipe`, `socket`, `eventfd`. */
  writtenTo: string[];
  /** Addresses of connections and datagrams: `AF_UNIX /path`, `AF_INET …`. */
  connected: string[];
  /** Families of sockets: `AF_NETLINK NETLINK_ROUTE`, `AF_UNIX`… */
  sockets: string[];
  /** Types of netlink requests: `NETLINK_ROUTE RTM_GETLINK`. */
  netlink: string[];
  /** Requests to devices: `TCGETS`. */
  ioctl: string[];
  /** Signals that were sent to processes that are not in the trace. */
  signalled: string[];
  /** Namespaces that were entered. */
  namespaces: string[];
  /** System calls of the classes traced that none of the above tells of. */
  others: string[];
}

const writing = /O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)/;
const changing =
  /^(?:creat|rename|unlink|mkdir|rmdir|link|symlink|chmod|fchmodat|chown|lchown|fchownat|truncate|mknod|utime|futimes|setxattr|lsetxattr|removexattr|mount|umount|pivot_root|chroot|swapon|acct|quotactl)/;
const pouring = new Set([
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'pwritev2',
  'sendfile',
  'copy_file_range',
  'splice',
  'tee',
  'fallocate',
  'ftruncate',
  'fchmod',
  'fchown',
]);
/** They read, wait, end, or concern the process itself. */
const harmless =
  /^(?:access|faccessat2?|stat|lstat|fstat|newfstatat|statx|statfs|fstatfs|readlink|readlinkat|getcwd|chdir|fchdir|getxattr|lgetxattr|name_to_handle_at|inotify_add_watch|openat|open|execve|clone|clone3|vfork|fork|wait4|waitid|exit|exit_group|kill|tkill|tgkill|rt_sig\w+|sigaltstack|signalfd4?|pidfd_open|socket|socketpair|connect|bind|shutdown|getsockname|getpeername|getsockopt|setsockopt|recvmsg|recvfrom|recvmmsg|sendto|sendmsg|sendmmsg|accept4?|listen|ioctl|setns|pause|flock|uname|arch_prctl)$/;

const unquoted = (text: string): string[] =>
  [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, inner]) => inner!.replaceAll(/\\(.)/g, '$1'));

/** What a descriptor of `-yy` is: `7<pipe:[123]>` is `pipe`, `1</dev/pts/0<char 136:0>>` is `/dev/pts/0`. */
function descriptor(argument: string): string {
  const inner = /^(?:AT_FDCWD)?-?\d*<(.*?)(?:<(?:char|block)[^>]*>)?>/.exec(argument)?.[1] ?? argument;
  return inner.startsWith('/') ? inner.replace(/\(deleted\)$/, '') : inner.split(/[:[]/)[0]!;
}

/** Joins calls that were interrupted by those of another thread. */
function* calls(text: string): Generator<{ pid: string; call: string }> {
  const unfinished = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith(' <unfinished ...>')) {
      unfinished.set(pid, rest.slice(0, -' <unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    yield { pid, call: resumed ? `${unfinished.get(pid) ?? ''}${resumed[1]}` : rest };
  }
}

/** Sums up traces of one or more runs. */
export function summarise(texts: readonly string[]): Trace {
  const found = new Map<keyof Trace, Set<string>>();
  const note = (kind: keyof Trace, what: string) => found.set(kind, (found.get(kind) ?? new Set()).add(what));
  const known = new Set(texts.flatMap(text => [...text.matchAll(/^(\d+) /gm)].map(([, pid]) => pid!)));
  for (const { call } of texts.flatMap(text => [...calls(text)])) {
    const [, name, args = '', result = ''] = /^(\w+)\((.*)\)\s+= (.*)$/s.exec(call) ?? [];
    if (name === undefined) continue;
    const failed = result.startsWith('-1');
    if (name === 'execve' && !failed) {
      const [path, ...argv] = unquoted(args.replace(/, 0x[0-9a-f]+ \/\*.*$/, ''));
      const variables = Number(/\/\* (\d+) vars? \*\//.exec(args)?.[1] ?? -1);
      note('executed', JSON.stringify({ path, args: argv.slice(1), variables }));
    } else if (/^open(?:at2?)?$/.test(name) && writing.test(args)) note('changed', unquoted(args)[0] ?? args);
    else if (changing.test(name)) note('changed', unquoted(args).join(' -> '));
    else if (pouring.has(name)) note('writtenTo', descriptor(args));
    else if (name === 'connect') note('connected', addressOf(args));
    else if (name === 'socket') {
      const [family, , protocol] = args.split(', ');
      note('sockets', family === 'AF_NETLINK' ? `${family} ${protocol}` : family!);
    } else if (name.startsWith('send')) sent(args, note);
    else if (name === 'ioctl') note('ioctl', args.split(', ')[1]!);
    else if (name === 'setns') note('namespaces', args.replace(/^\d+</, '').replace(/>?, /, ' '));
    else if (name.endsWith('kill') && !known.has(/\d+/.exec(args)![0])) note('signalled', args);
    else if (!harmless.test(name)) note('others', name);
  }
  const list = (kind: keyof Trace): string[] => [...(found.get(kind) ?? [])].sort();
  return {
    executed: list('executed').map(line => JSON.parse(line) as Trace['executed'][number]),
    changed: list('changed'),
    writtenTo: list('writtenTo'),
    connected: list('connected'),
    sockets: list('sockets'),
    netlink: list('netlink'),
    ioctl: list('ioctl'),
    signalled: list('signalled'),
    namespaces: list('namespaces'),
    others: list('others'),
  };
}

function addressOf(args: string): string {
  const family = /sa_family=(\w+)/.exec(args)?.[1] ?? 'unknown';
  const path = /sun_path=@?"([^"]*)"/.exec(args)?.[1];
  return path === undefined ? args : `${family} ${path}`;
}

/** What strace leaves as a number: the requests of `ss` (struct inet_diag_req_v2), and nft's for the generation. */
const undecoded: readonly [pattern: RegExp, request: string][] = [
  [/nlmsg_type=0x14 [^}]*\}, "\\x(?:02|0a)\\x(?:06|11)/, 'SOCK_DIAG SOCK_DIAG_BY_FAMILY'],
  [/nlmsg_type=0xa10 /, 'NETFILTER NFT_MSG_GETGEN'],
];

/** Of sockets that were made in another netns strace does not know the protocol (linux/netfilter/nf_tables.h, nf_tables_compat.h). */
const elsewhere: Readonly<Record<string, string>> = {
  '0xa01': 'NFT_MSG_GETTABLE',
  '0xa04': 'NFT_MSG_GETCHAIN',
  '0xa07': 'NFT_MSG_GETRULE',
  '0xa0a': 'NFT_MSG_GETSET',
  '0xa0d': 'NFT_MSG_GETSETELEM',
  '0xa13': 'NFT_MSG_GETOBJ',
  '0xa17': 'NFT_MSG_GETFLOWTABLE',
  '0xb00': 'NFNL_MSG_COMPAT_GET',
};

/** A message: netlink requests by their type, anything else by where it goes. */
function sent(args: string, note: (kind: keyof Trace, what: string) => void): void {
  const socket = descriptor(args);
  const numbered = undecoded.find(([pattern]) => pattern.test(args));
  if (numbered) return note('netlink', numbered[1]);
  const types = [...args.matchAll(/nlmsg_len=(\d+), nlmsg_type=([^,]+)/g)].filter(([, length]) => length !== '0');
  for (const [, , type = ''] of types) {
    const known = elsewhere[type.split(' ')[0]!];
    const protocol = /SOCK_DIAG|ROUTE|NETFILTER/.exec(args)?.[0] ?? (known === undefined ? socket : 'NETFILTER');
    note('netlink', `${protocol} ${known ?? type}`);
  }
  if (types.length === 0) note('connected', `${socket} ${/sa_family=\w+/.exec(args)?.[0] ?? ''}`.trim());
}
