/**
 * `node --import tsx bench/walk.ts`: what one walk costs on a host with 200 containers and 1,500 rules, made up, so that it
 * needs no lab. Prints ms.
 */
import { joinFacts } from '../source/facts/join.ts';
import { makeWorld, walk } from '../source/facts/walk/walk.ts';
import { now } from '../test/facts/build.ts';
import { lan, walkReadings } from '../test/facts/walk/host.ts';

const admin = Array.from(
  { length: 880 },
  (_, index) =>
    ['filter', 'DOCKER-USER', `-s 198.51.100.${index % 256}/32 -p tcp -m tcp --dport ${1000 + index} -j DROP`] as const,
);
const readings = walkReadings({ containers: 200, rules: admin });
const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
const facts = joinFacts(readings, { now, host });
const count = readings.netfilter.value?.chains.reduce((sum, { rules }) => sum + rules.length, 0) ?? 0;

const timed = (what: string, times: number, run: (index: number) => void): void => {
  for (let index = 0; index < times; index += 1) run(index);
  const begun = performance.now();
  for (let index = 0; index < times; index += 1) run(index);
  process.stdout.write(`${what}: ${((performance.now() - begun) / times).toFixed(3)} ms\n`);
};

process.stdout.write(`200 containers, ${count} rules\n`);
timed('index of one reading', 20, () => makeWorld(readings, facts));
const world = makeWorld(readings, facts);
const to = (index: number, address: string) => ({ address, port: 8000 + (index % 200), proto: 'tcp' as const });
timed('walk from the LAN', 2000, index => walk(world, { from: lan, to: to(index, '10.77.0.100') }));
timed('walk from the host', 2000, index => walk(world, { from: { kind: 'loopback' }, to: to(index, '127.0.0.1') }));
