/** Rows of rules that are kept from one reading to the next say what they would say if they were made anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, nat, property, tuple } from 'fast-check';
import { nextRuleRows, type RuleRows } from '../../source/facts/rules.ts';
import { reuse } from '../../source/facts/sharing.ts';
import { Memo, type SavedRule } from '../../source/host/netfilter/memo.ts';
import { parseSave } from '../../source/host/netfilter/xtables.ts';
import type { ContainerReading, DockerReading, NetfilterReading } from '../../source/host/readings.ts';
import { container, docker, endpoint, engine, network, port } from './build.ts';

/** A host's rules, as lists that rules come into and go from, and what Docker has. */
interface World {
  /** The words after `-A CHAIN`, by `TABLE CHAIN`. */
  chains: Record<string, string[]>;
  policy: string;
  count: number;
  docker: DockerReading | undefined;
}

const builtIn = /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/;
const addressOf = (which: number): string => `172.17.0.${2 + (which % 4)}`;
const portOf = (which: number): number => 8000 + (which % 4);

const web = (which: number): ContainerReading =>
  container(`web${which}`, {
    endpoints: [endpoint('bridge', { ipv4: addressOf(which) })],
    publishedPorts: [port(String(portOf(which)), 80, { hostIp: '0.0.0.0' })],
  });

const begin = (): World => ({
  chains: {
    'nat PREROUTING': ['-m addrtype --dst-type LOCAL -j DOCKER'],
    'nat POSTROUTING': ['-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE'],
    'nat DOCKER': [0, 1, 2, 3].map(which => dnat(which)),
    'filter INPUT': [],
    'filter FORWARD': ['-j DOCKER-USER', '-i docker0 -o docker0 -j DROP', '-o docker0 -j DOCKER'],
    'filter DOCKER-USER': ['-p tcp -m tcp --dport 8001 -j DROP', '-j RETURN', '-j RETURN'],
    'filter DOCKER': [0, 1, 2, 3].map(which => accept(which)),
    'filter PORTS': ['-p tcp -m tcp --dport 8000 -j ACCEPT', '-p tcp -m tcp --dport 8002 -j ACCEPT'],
    'filter IN_public': ['-p tcp -m tcp --dport 22 -j ACCEPT'],
  },
  policy: 'DROP',
  count: 0,
  docker: docker({ containers: [0, 1, 2, 3].map(web) }),
});

const dnat = (which: number): string =>
  `! -i docker0 -p tcp -m tcp --dport ${portOf(which)} -j DNAT --to-destination ${addressOf(which >> 2)}:80`;
const accept = (which: number): string =>
  `-d ${addressOf(which)}/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT`;

const own = ({ chains }: World, which: number): string[] => {
  const lists = Object.values(chains);
  return lists[which % lists.length]!;
};
const containersOf = (world: World): ContainerReading[] => world.docker?.containers ?? [];

const changes: Record<string, (world: World, which: number) => void> = {
  'a rule goes': (world, which) => void own(world, which).splice(which % 3, 1),
  'a rule comes': (world, which) => void own(world, which).splice(which % 3, 0, accept(which)),
  'a rule is there twice': (world, which) => void own(world, which).push(...own(world, which).slice(0, 1)),
  'a rule goes to the end': (world, which) => void own(world, which).push(...own(world, which).splice(which % 3, 1)),
  'a port leads elsewhere': ({ chains }, which) => void (chains['nat DOCKER']![which % 3] = dnat(which)),
  'DOCKER-USER is turned round': ({ chains }) =>
    void (chains['filter DOCKER-USER'] = chains['filter DOCKER-USER']!.toReversed()),
  'a chain comes to be reached': ({ chains }) => void chains['filter INPUT']!.push('-j PORTS'),
  'a chain is reached no longer': ({ chains }) => void (chains['filter INPUT'] = []),
  'firewalld comes': ({ chains }) => void (chains['filter INPUT_ZONES'] = ['-j IN_public']),
  'firewalld goes': ({ chains }) => void delete chains['filter INPUT_ZONES'],
  'the policy changes': world => void (world.policy = world.policy === 'DROP' ? 'ACCEPT' : 'DROP'),
  'packets come': world => void (world.count += 1),
  'a container stops': (world, which) => {
    const found = containersOf(world)[which % 4];
    if (found) Object.assign(found, { state: 'exited', pid: 0 });
  },
  'a container starts': (world, which) => {
    const found = containersOf(world)[which % 4];
    if (found) Object.assign(found, web(which), { id: found.id, name: found.name });
  },
  'a container goes': (world, which) => void containersOf(world).splice(which % 4, 1),
  'a network comes': ({ docker: reading }) =>
    void reading?.networks.push(network('own', { ipam: [{ subnet: '172.17.0.0/16' }] })),
  'a network goes': ({ docker: reading }) => void reading?.networks.pop(),
  'containers may not talk to each other, or may again': ({ docker: reading }) => {
    const options = reading?.networks[0]?.options;
    if (options)
      options['com.docker.network.bridge.enable_icc'] = String(
        options['com.docker.network.bridge.enable_icc'] === 'false',
      );
  },
  'the daemon becomes rootless, or stops being it': ({ docker: reading }) => {
    if (reading) reading.engine = engine({ rootless: !reading.engine.rootless });
  },
  'Docker does not answer': world => void (world.docker = undefined),
  'Docker answers again': world => void (world.docker ??= begin().docker),
};

function savedOf({ chains, policy, count }: World): string {
  return ['nat', 'filter']
    .flatMap(table => {
      const names = Object.keys(chains).filter(name => name.startsWith(`${table} `));
      const bare = (name: string): string => name.slice(table.length + 1);
      return [
        `*${table}`,
        ...names.map(name => `:${bare(name)} ${builtIn.test(bare(name)) ? policy : '-'} [${count}:0]`),
        ...names.flatMap(name =>
          chains[name]!.map((rule, at) => `[${at === 1 ? count : 0}:0] -A ${bare(name)} ${rule}`),
        ),
        'COMMIT',
      ];
    })
    .join('\n')
    .concat('\n');
}

const isSame = (a: unknown, b: unknown): boolean => reuse(a, b) === a;

test('rows of rules that are kept are those made anew, whatever changes', () => {
  check(
    property(array(tuple(constantFrom(...Object.keys(changes)), nat(997)), { minLength: 1, maxLength: 14 }), all => {
      const world = begin();
      const memo = new Memo<SavedRule>();
      let netfilter: NetfilterReading | undefined;
      let reading: DockerReading | undefined;
      let kept: RuleRows | undefined;
      for (const [name, which] of [['packets come', 0] as const, ...all]) {
        changes[name]!(world, which);
        const { chains } = parseSave(savedOf(world), 'ip', memo);
        memo.turn();
        netfilter = reuse(netfilter, { chains, tools: [], sets: {} });
        reading = world.docker && reuse(reading, structuredClone(world.docker));
        const before = kept?.rows ?? [];
        kept = nextRuleRows(netfilter, reading, kept);
        const fresh = nextRuleRows(structuredClone(netfilter), reading && structuredClone(reading)).rows;
        assert.deepEqual(kept.rows, fresh, `after: ${name}`);
        const known = new Set(before);
        for (const row of kept.rows) {
          const same = known.has(row) ? undefined : before.find(each => isSame(each, row));
          assert.equal(same, undefined, `a row is made anew for nothing after: ${name}`);
        }
        assert.equal(nextRuleRows(netfilter, reading, kept).rows, kept.rows);
      }
    }),
    { numRuns: 300 },
  );
});
