/**
 * Runs the readers on the machine on which it is started: each line of its input is a request, each line of its output the
 * answer. What a reader should remember from one request to the next is kept here.
 */
import { createInterface } from 'node:readline';
import type { DockerApi, Host } from '../../source/host/host.ts';
import { readInside } from '../../source/host/inside.ts';
import { readLinks } from '../../source/host/links.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { hostNetns } from '../../source/host/netns.ts';
import { readProcesses } from '../../source/host/processes.ts';
import type { InsideReading, ProcessesReading, SocketsReading } from '../../source/host/readings.ts';
import { readSockets } from '../../source/host/sockets.ts';

/** What can be asked for. */
export interface Request {
  reader: 'links' | 'sockets' | 'processes' | 'inside' | 'netns';
  /** Ports of interest, for sockets. */
  wanted?: number[];
  pids?: number[];
  searchProxies?: boolean;
  /** For inside. */
  containerId?: string;
  pid?: number;
  detail?: boolean;
  exact?: boolean;
  /** Looks for the openers of listeners. */
  openers?: boolean;
  /** Tools that are not to be found this time. */
  without?: string[];
  /** Passes on what the last such request gave. */
  remember?: boolean;
}

/** What came of it: the reader's outcome or its error, and the tools it ran. */
export interface Answer {
  outcome?: { value: unknown; missing?: string };
  error?: { code: string; message: string };
  ran: string[];
}

const live = createLiveHost({ docker: {} as DockerApi });
let sockets: SocketsReading | undefined;
let processes: ProcessesReading | undefined;
const inside = new Map<string, InsideReading>();

async function answer(request: Request): Promise<Answer> {
  const ran: string[] = [];
  const host: Host = {
    ...live,
    run: (tool, args, options) => {
      ran.push([tool, ...args].join(' '));
      if (request.without?.includes(tool)) return live.run(tool, ['--no-such-option'], options);
      return live.run(tool, args, options);
    },
  };
  const before = request.remember ?? false;
  try {
    switch (request.reader) {
      case 'links':
        return { outcome: await readLinks(host), ran };
      case 'sockets': {
        const outcome = await readSockets(host, {
          wanted: new Set(request.wanted),
          previous: before ? sockets : undefined,
        });
        sockets = outcome.value;
        return { outcome, ran };
      }
      case 'processes': {
        const outcome = await readProcesses(host, {
          pids: request.pids ?? [],
          previous: before ? processes : undefined,
          searchProxies: request.searchProxies,
        });
        processes = outcome.value;
        return { outcome, ran };
      }
      case 'inside': {
        const containerId = request.containerId ?? '';
        const outcome = await readInside(host, {
          containerId,
          pid: request.pid ?? 0,
          hostLinks: (await readLinks(live)).value.links,
          listeners: true,
          detail: request.detail,
          exact: request.exact,
          ...(request.openers && { fruitless: new Map() }),
          previous: before ? inside.get(containerId) : undefined,
        });
        inside.set(containerId, outcome.value);
        return { outcome, ran };
      }
      case 'netns':
        break;
    }
    return { outcome: { value: hostNetns(host) }, ran };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { error: { code: code ?? 'none', message }, ran };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Request))}\n`);
}
