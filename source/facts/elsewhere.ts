/** What may be told of this machine when the daemon that the operator asks is on another one: nothing. */
import type { Reading, Readings } from '../host/readings.ts';

/** The sources that speak of the machine netdash runs on. */
const ofThisMachine = ['links', 'sockets', 'netfilter', 'kernel', 'processes', 'vitals'] as const;

let withheld: { reason: string; reading: Reading<never> } | undefined;

/** The same object for the same reason, so that what is made of it is made once. */
function withheldFor(reason: string): Reading<never> {
  if (withheld?.reason !== reason) withheld = { reason, reading: { state: 'failed', reason } };
  return withheld.reading;
}

const nothingInside: Readings['inside'] = {};

/**
 * The readings of the daemon's host. Where that is not the machine, or not the network namespace, that netdash runs in, its
 * links, sockets, rules and settings are another's: they count as not readable, and say why.
 */
export function ofDaemonsHost(readings: Readings): Readings {
  const engine = readings.docker.value?.engine;
  if (engine?.local !== false || engine.networkHere) return readings;
  const reading = withheldFor(`not on this machine: ${engine.localReason ?? 'the daemon runs elsewhere'}`);
  return {
    ...readings,
    ...Object.fromEntries(ofThisMachine.map(name => [name, reading])),
    inside: nothingInside,
  };
}
