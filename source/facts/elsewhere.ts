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

/** What rootless Docker has in a network namespace of its own, by the source that tells of this machine's. */
const ofRootless = { links: 'links', netfilter: 'rules', kernel: 'network settings' } as const;
const qualified = new WeakMap<Reading<unknown>, Reading<unknown>>();

/** A reading that is right for this machine and says nothing of the daemon's containers. The same object for the same reading. */
function qualify<T>(reading: Reading<T>, what: string): Reading<T> {
  if (reading.state !== 'ok') return reading;
  const known = qualified.get(reading);
  if (known) return known as Reading<T>;
  const reason = `these are this machine's: the daemon is rootless and has its ${what} in a network namespace of its own`;
  const made: Reading<T> = { ...reading, state: 'partial', reason };
  qualified.set(reading, made);
  return made;
}

/**
 * The readings of the daemon's host. Where that is not the machine, or not the network namespace, that netdash runs in, its
 * links, sockets, rules and settings are another's: they count as not readable, and say why. Those of a rootless daemon's
 * machine are told, as what they are.
 */
export function ofDaemonsHost(readings: Readings): Readings {
  const engine = readings.docker.value?.engine;
  if (engine?.local !== false && engine?.rootless) {
    return {
      ...readings,
      links: qualify(readings.links, ofRootless.links),
      netfilter: qualify(readings.netfilter, ofRootless.netfilter),
      kernel: qualify(readings.kernel, ofRootless.kernel),
    };
  }
  if (engine?.local !== false || engine.networkHere) return readings;
  const reading = withheldFor(`not on this machine: ${engine.localReason ?? 'the daemon runs elsewhere'}`);
  return {
    ...readings,
    ...Object.fromEntries(ofThisMachine.map(name => [name, reading])),
    inside: nothingInside,
  };
}
