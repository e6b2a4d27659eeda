/** A host configuration made from a seed: rules of the administrator, policies, settings, listeners. */
import { Random } from './random.ts';
import { SaveText } from './save-text.ts';
import { changes, type Save } from './scene-changes.ts';
import { nativeTable } from './scene-native.ts';
import type { Socket, Stage } from './stage.ts';

export interface Scene {
  seed: number;
  /** What was done, a line each. */
  story: string[];
  rules: { 4: string; 6: string };
  /** Body of the native table; '' for none. */
  native: string;
  sysctls: Record<string, string>;
  listeners: Record<string, Socket[]>;
  /** `ip` commands, undone by those of `undo`. */
  routing: { make: string[]; undo: string[] };
}

/** Settings and what they are put back to. */
function someSysctls(random: Random, stage: Stage, story: string[]): Record<string, string> {
  const sysctls: Record<string, string> = {
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.forwarding': '1',
    'net.bridge.bridge-nf-call-iptables': '1',
    'net.bridge.bridge-nf-call-ip6tables': '1',
    'net.ipv4.conf.all.rp_filter': '0',
    'net.ipv4.conf.eth0.forwarding': '1',
    'net.ipv4.conf.eth0.route_localnet': '0',
  };
  for (const { name } of stage.bridges) {
    sysctls[`net.ipv4.conf.${name}.forwarding`] = '1';
    sysctls[`net.ipv4.conf.${name}.rp_filter`] = '0';
  }
  const change = (key: string, value: string) => {
    sysctls[key] = value;
    story.push(`${key}=${value}`);
  };
  if (random.chance(0.06)) {
    change('net.ipv4.ip_forward', '0');
    for (const key of Object.keys(sysctls)) if (/ipv4.*\.forwarding$/.test(key)) sysctls[key] = '0';
  }
  if (random.chance(0.06)) change('net.ipv6.conf.all.forwarding', '0');
  if (random.chance(0.08)) change(`net.ipv4.conf.${random.pick(['eth0', 'docker0', 'br-app'])}.forwarding`, '0');
  if (random.chance(0.2)) change('net.bridge.bridge-nf-call-iptables', '0');
  if (random.chance(0.2)) change('net.bridge.bridge-nf-call-ip6tables', '0');
  if (random.chance(0.1)) change('net.ipv4.conf.all.rp_filter', random.pick(['1', '2']));
  if (random.chance(0.05)) change('net.ipv4.conf.eth0.route_localnet', '1');
  return sysctls;
}

/** Sockets that are open in this scene. */
function someListeners(random: Random): Record<string, Socket[]> {
  const listeners: Record<string, Socket[]> = {
    host: [
      { proto: 'tcp', address: '0.0.0.0', port: 9001 },
      { proto: 'tcp', address: '127.0.0.1', port: 9002 },
      { proto: 'tcp', address: '::', port: 9003, v6only: random.chance(0.5) },
      { proto: 'udp', address: '0.0.0.0', port: 9004 },
      { proto: 'tcp', address: '10.77.0.100', port: 9005 },
      { proto: 'udp', address: '::', port: 9006 },
    ],
  };
  for (const name of [
    'web',
    'app1',
    'six1',
    'app2',
    'six2',
    'closed1',
    'closed2',
    'inner1',
    'both',
    'mac1',
    'plain1',
  ]) {
    listeners[name] = [{ proto: 'udp', address: random.pick(['0.0.0.0', '::']), port: 53 }];
    if (random.chance(0.5))
      listeners[name].push({ proto: 'tcp', address: random.pick(['127.0.0.1', '0.0.0.0', '::']), port: 88 });
  }
  return listeners;
}

/** Makes the scene of a seed. */
export function makeScene(seed: number, stage: Stage): Scene {
  const random = new Random(seed);
  const story: string[] = [];
  const save: Save = { 4: new SaveText(stage.baseline[4]), 6: new SaveText(stage.baseline[6]) };
  for (const family of [4, 6] as const) {
    for (let count = random.below(family === 4 ? 5 : 3); count > 0; count -= 1) {
      story.push(`v${family} ${random.pick(changes)(random, save[family], family, stage)}`);
    }
  }
  const native = random.chance(0.4) ? nativeTable(random, story) : '';
  const sysctls = someSysctls(random, stage, story);
  const routing = { make: [] as string[], undo: [] as string[] };
  // What the host knows of its neighbours from before would hide that it cannot ask.
  if (save[6].toString().includes('ipv6-icmp')) routing.make.push('-6 neigh flush all');
  if (random.chance(0.02)) {
    const rule = 'rule add from 10.77.0.1 lookup 100';
    routing.make.push('route add blackhole default table 100', rule);
    routing.undo.push('rule del from 10.77.0.1 lookup 100', 'route flush table 100');
    story.push(`ip ${rule}`);
  }
  return {
    seed,
    story,
    rules: { 4: save[4].toString(), 6: save[6].toString() },
    native,
    sysctls,
    listeners: someListeners(random),
    routing,
  };
}
