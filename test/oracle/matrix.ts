/** The questions that are asked of every rule set: who matters, to what matters. */
import { vantageOf, type Case } from './oracle.ts';
import type { Socket, Stage } from './stage.ts';

type Target = readonly [address: string, port: number, proto: 'tcp' | 'udp'];

const listeners: Record<string, Socket[]> = {
  host: [
    { proto: 'tcp', address: '::', port: 22 },
    { proto: 'tcp', address: '0.0.0.0', port: 443 },
    { proto: 'tcp', address: '0.0.0.0', port: 9001 },
    { proto: 'tcp', address: '127.0.0.1', port: 9002 },
    { proto: 'tcp', address: '::', port: 9003, v6only: true },
    { proto: 'udp', address: '0.0.0.0', port: 9004 },
    { proto: 'udp', address: '::', port: 9006 },
  ],
  ...Object.fromEntries(
    ['web', 'app1', 'app2', 'six1', 'six2', 'closed1', 'closed2', 'plain1'].map(name => [
      name,
      [{ proto: 'udp', address: '::', port: 53 } satisfies Socket],
    ]),
  ),
};

/** The containers that the questions are about, for `populateWith`. */
export const cast = ['web', 'web2', 'app1', 'app2', 'six1', 'six2', 'closed1', 'closed2', 'plain1', 'hosted'] as const;

/** Opens the sockets that the questions are about. */
export async function listenForMatrix(stage: Stage): Promise<void> {
  await Promise.all(Object.entries(listeners).map(([at, sockets]) => stage.listen(at, sockets)));
}

/** A question of someone on the stage. */
export const asked = (stage: Stage, from: string, ...[address, port, proto]: Target): Case => ({
  from,
  question: { from: vantageOf(stage, from, address), to: { address, port, proto } },
});

/** The same questions for every rule set. */
export function matrix(stage: Stage): Case[] {
  const { host, second, host6 } = stage.lab.addresses;
  const of = (name: string, family: 4 | 6 = 4): string => {
    const found = stage.actors.get(name)?.addresses.find(address => address.includes(':') === (family === 6));
    if (found === undefined) throw new Error(`${name} has no such address`);
    return found;
  };
  const gateway = (bridge: string): string => {
    const found = stage.bridges.find(({ name }) => name === bridge)?.addresses.find(address => !address.includes(':'));
    if (found === undefined) throw new Error(`${bridge} has no address`);
    return found;
  };
  const published: Target[] = [
    [host, 8080, 'tcp'],
    [host, 8081, 'tcp'],
    [host, 8082, 'tcp'],
    [host, 5300, 'udp'],
    [second, 8090, 'tcp'],
    [host6, 8080, 'tcp'],
    [host6, 8086, 'tcp'],
    [host6, 5302, 'udp'],
  ];
  const own: Target[] = [
    [host, 22, 'tcp'],
    [host, 443, 'tcp'],
    [host, 9001, 'tcp'],
    [host, 9004, 'udp'],
    [host, 8070, 'tcp'],
    [host, 9100, 'tcp'],
    [host6, 22, 'tcp'],
    [host6, 9003, 'tcp'],
    [host6, 9006, 'udp'],
  ];
  const loopback: Target[] = [
    ['127.0.0.1', 8080, 'tcp'],
    ['127.0.0.1', 8084, 'tcp'],
    ['127.0.0.1', 9002, 'tcp'],
    ['::1', 8080, 'tcp'],
    ['::1', 9003, 'tcp'],
    ['127.0.0.1', 5300, 'udp'],
  ];
  const direct: Target[] = [
    [of('web'), 80, 'tcp'],
    [of('web'), 53, 'udp'],
    [of('app2'), 80, 'tcp'],
    [of('plain1'), 80, 'tcp'],
    [of('six1', 6), 80, 'tcp'],
    [of('six2', 6), 80, 'tcp'],
    [of('six2', 6), 53, 'udp'],
  ];
  const fromBridge = (bridge: string): Target[] => [
    [host, 8080, 'tcp'],
    [host, 8081, 'tcp'],
    [host, 9001, 'tcp'],
    [gateway(bridge), 22, 'tcp'],
  ];
  const questions: [from: string, targets: Target[]][] = [
    ['lan', [...published, ...own, ...direct]],
    ['internet', [...published, ...own, ...direct]],
    ['host', [...published, ...own, ...direct, ...loopback]],
    ['web', [...fromBridge('docker0'), [of('web2'), 80, 'tcp'], [of('app1'), 80, 'tcp']]],
    ['app1', [...fromBridge('br-app'), [of('app2'), 80, 'tcp'], [of('app2'), 53, 'udp'], [of('web'), 80, 'tcp']]],
    [
      'closed1',
      [
        [of('closed2'), 80, 'tcp'],
        [host, 8080, 'tcp'],
      ],
    ],
    [
      'six1',
      [
        [of('six2', 6), 80, 'tcp'],
        [of('six2'), 80, 'tcp'],
        [host6, 9003, 'tcp'],
        [host6, 8080, 'tcp'],
      ],
    ],
  ];
  return questions.flatMap(([from, targets]) => targets.map(target => asked(stage, from, ...target)));
}
