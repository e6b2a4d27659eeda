/** The machine itself: name, system, load, memory and physical NICs. */
import { HostError, type Host } from './host.ts';
import { interfaceNames } from './proc-net.ts';
import type { Outcome, VitalsReading } from './readings.ts';

const files = {
  hostname: '/proc/sys/kernel/hostname',
  kernel: '/proc/sys/kernel/osrelease',
  uptime: '/proc/uptime',
  loadavg: '/proc/loadavg',
  meminfo: '/proc/meminfo',
  stat: '/proc/stat',
  release: '/etc/os-release',
  vendorRelease: '/usr/lib/os-release',
} as const;

/**
 * Slow facts about the machine; asked rarely.
 * @throws HostError when load and memory cannot be read
 */
export async function readVitals(host: Host): Promise<Outcome<VitalsReading>> {
  const names = Object.keys(files) as (keyof typeof files)[];
  const results = host.readFiles(Object.values(files));
  const missing: string[] = [];
  const text = (name: keyof typeof files): string => {
    const result = results[names.indexOf(name)];
    return typeof result === 'string' ? result : '';
  };
  const load = parseLoadAverage(text('loadavg'));
  const memory = parseMemory(text('meminfo')) ?? (await memoryNow(host));
  if (!load || !memory) {
    const failed = results[names.indexOf(load ? 'meminfo' : 'loadavg')];
    throw failed instanceof HostError ? failed : new HostError('failed', '/proc: load and memory not understood');
  }
  const value: VitalsReading = {
    hostname: text('hostname').trim() || host.name,
    os: prettyName(text('release')) ?? prettyName(text('vendorRelease')) ?? 'Linux',
    kernel: text('kernel').trim(),
    uptimeSeconds: Math.floor(Number.parseFloat(text('uptime')) || 0),
    loadAverage: load,
    memory,
    cpus: text('stat').match(/^cpu\d+ /gm)?.length ?? 0,
    nics: {},
  };
  if (!(value.uptimeSeconds > 0)) missing.push('uptime');
  if (value.cpus === 0) missing.push('number of CPUs');
  const nics = await readNics(host);
  if (nics instanceof HostError) missing.push(`NICs: ${nics.message}`);
  else value.nics = nics;
  return missing.length > 0 ? { value, missing: missing.join('; ') } : { value };
}

/** /proc/loadavg begins with the averages over 1, 5 and 15 minutes (proc_loadavg(5)). */
export function parseLoadAverage(text: string): [number, number, number] | undefined {
  const match = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) /.exec(text);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : undefined;
}

/** /proc/meminfo in bytes; kernels before 3.14 have no MemAvailable, and what is free and cached comes near it. */
export function parseMemory(text: string): VitalsReading['memory'] | undefined {
  const bytes = (name: string) => {
    const digits = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    return digits === undefined ? undefined : Number(digits) * 1024;
  };
  const totalBytes = bytes('MemTotal');
  const availableBytes = bytes('MemAvailable') ?? sum(bytes('MemFree'), bytes('Cached'));
  return totalBytes === undefined || availableBytes === undefined ? undefined : { totalBytes, availableBytes };
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

/** PRETTY_NAME of os-release(5), which may be quoted as in a shell. */
export function prettyName(text: string): string | undefined {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1]?.trim();
  const bare = value && /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
  return bare ? bare.replace(/\\(["'$`\\])/g, '$1') : undefined;
}

/** NICs with a device behind them, from /sys/class/net (Documentation/ABI/testing/sysfs-class-net of the kernel). */
async function readNics(host: Host): Promise<VitalsReading['nics'] | HostError> {
  const root = '/sys/class/net';
  let names: string[];
  try {
    names = await host.list(root);
  } catch (error) {
    return error instanceof HostError ? error : new HostError('failed', String(error));
  }
  const [dev, route] = host.readFiles(['/proc/self/net/dev', '/proc/self/net/route']);
  const here = new Set(typeof dev === 'string' ? interfaceNames(dev) : []);
  const defaults = typeof route === 'string' ? defaultDevices(route) : new Set<string>();
  // A sysfs shows the interfaces of whoever mounted it: take only those that are in this netns.
  // A veth, a bridge: what has no device behind it stands apart (drivers/base/core.c of the kernel), and a Docker host has hundreds of them.
  const virtual = new Set(await host.list('/sys/devices/virtual/net').catch((): string[] => []));
  const own = names.filter(name => here.has(name) && !virtual.has(name));
  const devices = host.readLinks(own.map(name => `${root}/${name}/device`));
  const physical = own.filter((_, index) => typeof devices[index] === 'string');
  const speeds = host.readFiles(physical.map(name => `${root}/${name}/speed`));
  const radios = host.readLinks(physical.map(name => `${root}/${name}/phy80211`));
  return Object.fromEntries(
    physical.map((name, index) => {
      // Down or virtual NICs have no speed: an error, -1, or SPEED_UNKNOWN as an unsigned number.
      const speed = typeof speeds[index] === 'string' ? Number(speeds[index]) : Number.NaN;
      return [
        name,
        {
          speedMbit: speed > 0 && speed < 4_294_967_295 ? speed : null,
          type: typeof radios[index] === 'string' ? 'wireless' : 'wired',
          isDefault: defaults.has(name),
        },
      ];
    }),
  );
}

/** Interfaces with an IPv4 default route, from /proc/net/route. */
function defaultDevices(route: string): Set<string> {
  const rows = route.split('\n').map(line => line.split('\t'));
  return new Set(rows.filter(row => row[1] === '00000000' && row[7] === '00000000').map(row => row[0]!.trim()));
}

/**
 * The memory of this machine, by systeminformation. Of that package only this call is used, which reads a file: its list of
 * NICs runs a shell for each interface, of which a Docker host has hundreds, its CPU load runs one and waits for it, and
 * `osInfo` looks the host's name up in the DNS. And this one only where
 * /proc/meminfo is not understood: to load the package takes longer than all else that the first screen waits for.
 */
async function memoryNow(host: Host): Promise<VitalsReading['memory'] | undefined> {
  if (host.kind !== 'live') return undefined;
  try {
    const { mem } = await import('systeminformation');
    const { total, available } = await mem();
    return total > 0 && available > 0 ? { totalBytes: total, availableBytes: available } : undefined;
  } catch {
    return undefined;
  }
}
