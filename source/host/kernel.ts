/** Kernel settings that decide what Docker's networking can do (Documentation/networking/ip-sysctl.rst of the kernel). */
import { HostError, type Host } from './host.ts';
import { ipvsFile, parseIpvs } from './ipvs.ts';
import type { KernelReading, Outcome } from './readings.ts';

const root = '/proc/sys/net';

/**
 * The settings of the netns that netdash runs in, and those of the named interfaces. What is not there (IPv6 off,
 * br_netfilter or conntrack not loaded, an interface that is gone) is absent from the reading, and that is no fault.
 * @param interfaceNames as in LinkReading; names that cannot be an interface's are passed over
 * @throws HostError when nothing at all can be read
 */
export function readKernel(host: Host, interfaceNames: readonly string[]): Promise<Outcome<KernelReading>> {
  const names = [...new Set(interfaceNames)].filter(name => name !== '' && !/^\.\.?$|[/\0]/.test(name));
  const single = [
    'ipv4/ip_forward',
    'ipv6/conf/all/forwarding',
    'ipv4/conf/all/rp_filter',
    'ipv4/conf/all/route_localnet',
    'ipv4/ip_local_port_range',
    'ipv4/ip_unprivileged_port_start',
    'ipv4/ip_nonlocal_bind',
    'ipv6/bindv6only',
    'bridge/bridge-nf-call-iptables',
    'bridge/bridge-nf-call-ip6tables',
    'netfilter/nf_conntrack_count',
    'netfilter/nf_conntrack_max',
  ];
  const paths = [
    ...single,
    ...names.flatMap(name => [
      `ipv4/conf/${name}/forwarding`,
      `ipv6/conf/${name}/forwarding`,
      `ipv4/conf/${name}/route_localnet`,
      `ipv4/conf/${name}/rp_filter`,
      `ipv6/conf/${name}/disable_ipv6`,
    ]),
  ];
  const texts = new Map<string, string>();
  let denied: HostError | undefined;
  let first: HostError | undefined;
  const results = host.readFiles([...paths.map(path => `${root}/${path}`), ipvsFile]);
  const ipvs = results[paths.length];
  const services = typeof ipvs === 'string' ? parseIpvs(ipvs) : [];
  for (const [index, path] of paths.entries()) {
    const result = results[index];
    if (typeof result === 'string') texts.set(path, result.trim());
    else if (result) {
      first ??= result;
      if (result.code !== 'missing' && result.code !== 'gone') denied ??= result;
    }
  }
  if (texts.size === 0) return Promise.reject(first ?? new HostError('missing', `${root}: nothing to read`));
  const number = (path: string) => {
    const text = texts.get(path);
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  };
  const flag = (path: string) => {
    const value = number(path);
    return value === undefined ? undefined : value !== 0;
  };
  const value: KernelReading = defined({
    interfaces: {},
    ipForward: flag('ipv4/ip_forward'),
    ipv6Forward: flag('ipv6/conf/all/forwarding'),
    rpFilterAll: number('ipv4/conf/all/rp_filter'),
    routeLocalnetAll: flag('ipv4/conf/all/route_localnet'),
    localPortRange: portRange(texts.get('ipv4/ip_local_port_range')),
    unprivilegedPortStart: number('ipv4/ip_unprivileged_port_start'),
    nonlocalBind: flag('ipv4/ip_nonlocal_bind'),
    bindV6only: flag('ipv6/bindv6only'),
    bridgeNfCallIptables: flag('bridge/bridge-nf-call-iptables'),
    bridgeNfCallIp6tables: flag('bridge/bridge-nf-call-ip6tables'),
    conntrackCount: number('netfilter/nf_conntrack_count'),
    conntrackMax: number('netfilter/nf_conntrack_max'),
  });
  for (const name of names) {
    const settings = defined({
      forwarding4: flag(`ipv4/conf/${name}/forwarding`),
      forwarding6: flag(`ipv6/conf/${name}/forwarding`),
      routeLocalnet: flag(`ipv4/conf/${name}/route_localnet`),
      rpFilter: number(`ipv4/conf/${name}/rp_filter`),
      ipv6Disabled: flag(`ipv6/conf/${name}/disable_ipv6`),
    });
    if (Object.keys(settings).length > 0) value.interfaces[name] = settings;
  }
  if (services.length > 0) value.ipvs = services;
  return Promise.resolve(denied ? { value, missing: denied.message } : { value });
}

function portRange(text: string | undefined): [number, number] | undefined {
  const match = /^(\d+)\s+(\d+)$/.exec(text ?? '');
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** Without the properties that are undefined, so that what could not be read is absent. */
function defined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
