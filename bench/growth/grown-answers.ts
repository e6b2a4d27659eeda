/** The texts of a grown host: each is the recorded one, with the lines about the recorded container once for every container. */
import { endedStates } from '../../source/host/docker-list.ts';
import type { Answers } from './grown-host.ts';
import type { Clone, Template } from './template.ts';

type Json = Record<string, unknown>;

const clonedLines = (text: string, template: Template, clones: readonly Clone[]): string =>
  text
    .split('\n')
    .flatMap(line => (template.isAbout(line) ? clones.map(clone => template.dress(line, clone)) : [line]))
    .join('\n');

/** Docker's answers, the links, and all below the /proc folders and cgroups of containers. */
export function dumpAnswers(
  answers: Answers,
  template: Template,
  clones: readonly Clone[],
  down: Clone | undefined,
): void {
  const { files, links, folders, tools, docker } = answers;
  const running = clones.filter(clone => clone !== down);
  const [item] = template.docker['/containers/json?all=1'] as Json[];
  const listItem = JSON.stringify(item);
  const inspectPath = `/containers/${template.id}/json`;
  const inspect = JSON.stringify(template.docker[inspectPath]);
  const list = clones.map(clone => {
    const text = template.dress(listItem, clone);
    return clone === down
      ? JSON.stringify({ ...(JSON.parse(text) as Json), State: 'exited', Status: 'Exited (137)', Ports: [] })
      : text;
  });
  docker.set('/containers/json?all=1', `[${list.join(',')}]`);
  const ended = new URLSearchParams({ filters: JSON.stringify({ status: endedStates }) });
  docker.set(
    `/containers/json?all=1&${ended.toString()}`,
    `[${list.filter((_, index) => clones[index] === down).join(',')}]`,
  );
  for (const clone of clones) {
    const text = template.dress(inspect, clone);
    docker.set(`/containers/${template.idOf(clone)}/json`, clone === down ? stopped(text) : text);
  }

  const addr = JSON.parse(template.tools['ip -j -d addr'] ?? '[]') as Json[];
  const veth = addr.find(({ ifname }) => ifname === template.veth)!;
  const veths = running.map(clone => {
    const { inside, host } = template.ifindexOf(clone);
    const dressed = { ...(JSON.parse(template.dress(JSON.stringify(veth), clone)) as Json), ifindex: host };
    return { ...dressed, link_index: inside, link_netnsid: clone.serial };
  });
  tools.set('ip -j -d addr', JSON.stringify([...addr.filter(link => link !== veth), ...veths]));
  for (const [line, text] of Object.entries(template.tools)) {
    if (line.startsWith('ip -j') && !tools.has(line)) tools.set(line, text);
  }
  files.set('/proc/self/net/dev', clonedLines(template.files['/proc/self/net/dev'] ?? '', template, running));
  folders.set('/sys/class/net', ['lo', 'eth0', 'docker0', ...running.map(clone => template.vethOf(clone))]);

  const own = [`/proc/${template.pid}/`, `/docker/${template.id}`];
  const pathsOf = (record: Record<string, string>): string[] =>
    Object.keys(record).filter(path => own.some(part => path.includes(part)));
  const [filePaths, linkPaths] = [pathsOf(template.files), pathsOf(template.links)];
  for (const clone of running) {
    const pid = template.pidOf(clone);
    const { inside, host } = template.ifindexOf(clone);
    const place = (path: string): string =>
      template.dress(path.replace(`/proc/${template.pid}/`, `/proc/${pid}/`), clone);
    for (const path of filePaths) {
      let text = template.dress(template.files[path]!, clone);
      if (/\/(stat|status|cgroup\.procs)$/.test(path))
        text = text.replaceAll(new RegExp(`\\b${template.pid}\\b`, 'g'), String(pid));
      else if (/\/eth0\/(ifindex|uevent)$|\/net\/(igmp|dev_mcast)$/.test(path)) {
        text = text.replaceAll(new RegExp(`(^|IFINDEX=)${template.ifindexes.inside}\\b`, 'gm'), `$1${inside}`);
      } else if (path.endsWith('/eth0/iflink')) text = `${host}\n`;
      files.set(place(path), text);
    }
    for (const path of linkPaths) links.set(place(path), template.dress(template.links[path]!, clone));
    folders.set(`/proc/${pid}/root/sys/class/net`, ['eth0', 'lo']);
    folders.set(`/proc/${pid}/fd`, ['0', '1', '2', '3']);
    folders.set(place(`/sys/fs/cgroup/unified/lab/docker/${template.id}`), ['cgroup.procs']);
    for (const [line, text] of Object.entries(template.tools)) {
      if (line.startsWith(`nsenter -t ${template.pid} `)) {
        tools.set(line.replace(`-t ${template.pid} `, `-t ${pid} `), template.dress(text, clone));
      }
    }
  }
}

/** An inspect answer of the same container while it does not run. */
function stopped(text: string): string {
  const inspect = JSON.parse(text) as Json & { State: Json; NetworkSettings: Json };
  return JSON.stringify({
    ...inspect,
    State: {
      ...inspect.State,
      Status: 'exited',
      Running: false,
      Pid: 0,
      ExitCode: 137,
      FinishedAt: new Date().toISOString(),
    },
    NetworkSettings: { ...inspect.NetworkSettings, Ports: {}, SandboxKey: '' },
  });
}

const blocklist = 'BLOCKLIST';
const dropped = (index: number): string => `198.${18 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

/** The rules: Docker's for every container, and an administrator's list of addresses to drop. */
export function netfilterAnswers(answers: Answers, template: Template, running: readonly Clone[], rules: number): void {
  const { tools } = answers;
  for (const [line, text] of Object.entries(template.tools)) {
    if (line.includes('tables') && line.includes('-save')) tools.set(line, clonedLines(text, template, running));
  }
  const saved = tools.get('iptables-save -c') ?? '';
  const lines = Array.from({ length: rules }, (_, index) => `[0:0] -A ${blocklist} -s ${dropped(index)}/32 -j DROP`);
  const jump = `[0:0] -A DOCKER-USER -j ${blocklist}`;
  if (rules > 0) {
    tools.set(
      'iptables-save -c',
      saved
        .replace(':DOCKER-USER - [0:0]', `:DOCKER-USER - [0:0]\n:${blocklist} - [0:0]`)
        .replace('[0:0] -A DOCKER-USER -j RETURN', `${jump}\n[0:0] -A DOCKER-USER -j RETURN\n${lines.join('\n')}`),
    );
  }
  for (const [line, text] of Object.entries(template.tools)) {
    if (line.startsWith('nft -j')) tools.set(line, grownNft(text, template, running, rules));
  }
}

function grownNft(text: string, template: Template, running: readonly Clone[], rules: number): string {
  const { nftables } = JSON.parse(text) as { nftables: Json[] };
  let handle = 100_000;
  const grown = nftables.flatMap(object => {
    const rule = object['rule'] as Json | undefined;
    const own = JSON.stringify(object);
    if (!rule || !template.isAbout(own)) return [object];
    return running.map(clone => {
      const dressed = JSON.parse(dressPort(template.dress(own, clone), template, clone)) as { rule: Json };
      handle += 1;
      return { rule: { ...dressed.rule, handle } };
    });
  });
  if (rules > 0) {
    const place = { family: 'ip', table: 'filter' };
    const counter = { counter: { packets: 0, bytes: 0 } };
    grown.push({ chain: { ...place, name: blocklist, handle: 99_998 } });
    const jump = {
      rule: { ...place, chain: 'DOCKER-USER', handle: 99_999, expr: [counter, { jump: { target: blocklist } }] },
    };
    const first = grown.findIndex(object => (object['rule'] as Json | undefined)?.['chain'] === 'DOCKER-USER');
    grown.splice(first === -1 ? grown.length : first, 0, jump);
    for (let index = 0; index < rules; index += 1) {
      const saddr = { payload: { protocol: 'ip', field: 'saddr' } };
      const match = { match: { op: '==', left: saddr, right: dropped(index) } };
      grown.push({
        rule: { ...place, chain: blocklist, handle: 200_000 + index, expr: [match, counter, { drop: null }] },
      });
    }
  }
  return JSON.stringify({ nftables: grown });
}

/** In JSON a port is a number. */
const dressPort = (text: string, template: Template, clone: Clone): string =>
  text.replaceAll(new RegExp(`:\\s*${template.port}\\b`, 'g'), `:${template.portOf(clone)}`);

const portHex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
const perProcess = 20;

/** The host's socket tables, the proxies behind published ports, and listeners of programs of its own. */
export function socketAnswers(
  answers: Answers,
  template: Template,
  running: readonly Clone[],
  listeners: number,
): void {
  const { files, links, tools } = answers;
  const extra = Array.from({ length: listeners }, (_, index) => {
    const pid = 10_000_000 + Math.floor(index / perProcess);
    return { port: 10_000 + index, pid, fd: 18 + (index % perProcess), inode: 90_000_000 + index };
  });
  const own = Object.keys(template.files).find(
    path => /^\/proc\/\d+\/cmdline$/.test(path) && template.files[path]!.includes('listener.mjs'),
  );
  const ownPid = /\d+/.exec(own ?? '')?.[0] ?? '';
  const ss = template.tools['ss -H -tulnpe'] ?? '';
  const ownLine = ss.split('\n').find(line => line.includes(`pid=${ownPid},`)) ?? '';
  const ownInode = / ino:(\d+)/.exec(ownLine)?.[1] ?? '';
  const dressed = (line: string, { port, pid, fd, inode }: (typeof extra)[number]): string =>
    line
      .replaceAll(`:9999 `, `:${port} `)
      .replaceAll(`:${portHex(9999)} `, `:${portHex(port)} `)
      .replaceAll(ownInode, String(inode))
      .replaceAll(/pid=\d+,fd=\d+/g, `pid=${pid},fd=${fd}`);
  const grow = (text: string): string =>
    text
      .split('\n')
      .flatMap(line => {
        if (ownInode !== '' && line.includes(ownInode)) return [line, ...extra.map(each => dressed(line, each))];
        if (!template.isAbout(line)) return [line];
        return running.map(clone =>
          template
            .dress(line, clone)
            .replaceAll(`:${portHex(Number(template.port))} `, `:${portHex(template.portOf(clone))} `),
        );
      })
      .join('\n');
  tools.set('ss -H -tulnpe', grow(ss));
  for (const table of ['tcp', 'tcp6']) {
    const path = `/proc/self/net/${table}`;
    files.set(path, grow(template.files[path] ?? ''));
  }
  const more = running.length - 1;
  const count = (path: string, pattern: RegExp, by: number): void => {
    const text = template.files[path] ?? '';
    files.set(
      path,
      text.replace(pattern, (_, head: string, value: string) => `${head}${Number(value) + by}`),
    );
  };
  count('/proc/self/net/sockstat', /(TCP: inuse )(\d+)/, more + listeners);
  count('/proc/self/net/sockstat6', /(TCP6: inuse )(\d+)/, more);

  // All of its sockets listen.
  const counters = 'ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab';
  files.set('/proc/self/net/snmp', `Tcp: ${counters}\nTcp: ${counters.replaceAll(/\w+/g, '0')}\n`);

  const processFiles = (from: string, to: number, dress: (text: string) => string): void => {
    for (const name of ['stat', 'cmdline', 'cgroup', 'status', 'comm']) {
      const text = template.files[`/proc/${from}/${name}`];
      if (text === undefined) continue;
      const changed = dress(text).replace(new RegExp(`^${from}\\b`), String(to));
      files.set(`/proc/${to}/${name}`, changed);
    }
  };
  template.proxies.forEach((proxy, place) => {
    const link = Object.keys(template.links).find(path => path.startsWith(`/proc/${proxy}/fd/`));
    for (const clone of running) {
      const pid = template.proxyOf(clone, place);
      processFiles(proxy, pid, text => template.dress(text, clone));
      if (link) links.set(link.replace(proxy, String(pid)), template.dress(template.links[link]!, clone));
    }
  });
  for (const { pid, fd, inode } of extra) {
    if (!files.has(`/proc/${pid}/stat`)) processFiles(ownPid, pid, text => text);
    links.set(`/proc/${pid}/fd/${fd}`, `socket:[${inode}]`);
  }
}
