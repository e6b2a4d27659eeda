/** Settings of interfaces as sysctl(8) takes them, and texts that may stand in a command. */

/** A setting that interfaces have of their own, below net.ipv4.conf. */
export type InterfaceKey = 'forwarding' | 'route_localnet' | 'rp_filter';

/**
 * The name of an interface's IPv4 setting. sysctl(8) takes the first separator that it meets, `.` or `/`, for that of the
 * whole name; with `/` the dots of a name such as `eth0.10` stay what they are.
 */
export function interfaceSetting(name: string, key: InterfaceKey): string {
  return name.includes('.') ? `net/ipv4/conf/${name}/${key}` : `net.ipv4.conf.${name}.${key}`;
}

/**
 * Whether a name means itself in a command, unquoted. The kernel lets interfaces be called anything without white space, `/`
 * and `:`; what a shell reads otherwise, what no key types, and `=`, at which sysctl(8) cuts, must not stand in a command
 * that an operator copies.
 */
export const isTypable = (name: string): boolean => /^[\w@+,][\w.@+,-]*$/.test(name);
