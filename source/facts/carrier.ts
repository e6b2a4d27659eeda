/** Whether anything is at the other end of an interface. */
import type { LinkReading } from '../host/readings.ts';

const without: ReadonlySet<string> = new Set(['DOWN', 'LOWERLAYERDOWN', 'NOTPRESENT']);

/**
 * Whether an interface that is up has a carrier: a cable, the other end of a veth that is up too, a port of a bridge that forwards.
 * By its operational state (RFC 2863; Documentation/networking/operstates.rst of the kernel), as `ip link` prints it: a driver
 * that does not tell leaves it UNKNOWN, and packets pass then.
 */
export const hasCarrier = ({ operstate }: Pick<LinkReading, 'operstate'>): boolean => !without.has(operstate);
