/** Verdicts on port claims against Docker's own: what doctor says of containers that wait is what `docker start` then does. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '../../source/facts/schema.ts';
import { describeLab, labTest } from '../lab/for-tests.ts';
import { EngineError, type Lab, type Listening } from '../lab/lab.ts';

const root = join(import.meta.dirname, '..', '..');

async function doctor(lab: Lab, ...args: string[]): Promise<Finding[]> {
  const command = [process.execPath, '--import', 'tsx', join(root, 'cli.tsx'), 'doctor', '--json', ...args];
  const { stdout, stderr } = await lab.inHost(command, { cwd: root });
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { findings: Finding[] }).findings;
}

const portsFrom = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** Holds on the IPv6 side alone, and what containers ask for. */
const held6: Required<Omit<Listening, 'proto'>>[] = [
  { address: '::', port: 5002, v6only: true },
  { address: '::1', port: 5006, v6only: false },
  { address: '::', port: 5003, v6only: false },
];
const asked6 = ['5002:80', '[::1]:5002:80', '5006:80', '[::1]:5003:80', '5010:80/udp'];
/** Of those of `asked6`, by number: started, or what Docker says. */
const startAll = (lab: Lab): Promise<string[]> =>
  Promise.all(
    asked6.map((_, i) =>
      lab.start(`six${i}`).then(
        () => 'started',
        (error: unknown) => (/already in use/.test(String(error)) ? 'refused' : String(error)),
      ),
    ),
  );

/** A port that somebody holds and a created container that asks for it. */
interface Pair {
  asker: string;
  holder: string;
  port: number;
  proto: 'tcp' | 'udp';
}

/** Does `work` for every item, a few at a time. */
async function several<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker(), worker()]);
}

describeLab('Port claims on a lab', {}, lab => {
  test('a pending conflict is told of exactly those containers that Docker then refuses to start', async () => {
    const { host, host6 } = lab().addresses;
    const places = ['', '0.0.0.0:', '127.0.0.1:', `${host}:`, '[::]:', '[::1]:', `[${host6}]:`];
    const pairs: Pair[] = [];
    const askers: [string, string][] = [];
    let port = 21_000;
    const ask = (holder: string, proto: Pair['proto'], place: string, asked = proto): number => {
      port += 1;
      const asker = `asker${port}`;
      pairs.push({ asker, holder, port, proto: asked });
      askers.push([asker, `${place}${port}:80/${asked}`]);
      return port;
    };
    for (const [i, held] of places.entries()) {
      const name = `holder${i}`;
      const udp = i % 3 === 0 ? places.map(place => `${held}${ask(name, 'udp', place)}:80/udp`) : [];
      const tcp = places.map(place => `${held}${ask(name, 'tcp', place)}:80`);
      const crossed = [`${held}${ask(name, 'tcp', '', 'udp')}:80`];
      await lab().run(name, { publish: [...tcp, ...udp, ...crossed] });
    }
    const sockets: Omit<Listening, 'port'>[] = [
      { address: '0.0.0.0' },
      { address: '127.0.0.1' },
      { address: '::', v6only: false },
      { address: '::', v6only: true },
      { address: '::1' },
      { address: '::', v6only: false, proto: 'udp' },
      { address: host, proto: 'udp' },
    ];
    const listening = sockets.flatMap(socket =>
      places.map(place => ({ ...socket, port: ask('host', socket.proto ?? 'tcp', place) })),
    );
    const process = await lab().listen(...listening);
    // Of a range one free port is enough.
    askers.push(['range1', '21001-21002:80'], ['range2', `21002-${port + 1}:80`]);
    pairs.push(
      { asker: 'range1', holder: 'holder0', port: 21_001, proto: 'tcp' },
      { asker: 'range2', holder: '', port: 0, proto: 'tcp' },
    );
    await several(askers, async ([name, publish]) => {
      await lab().create(name, { publish: [publish] });
    });

    // A range that is held in part may start or not.
    const pending = (await doctor(lab())).filter(
      ({ code, message }) => code === 'port-conflict-pending' && !message.includes(' may not start '),
    );
    const told = new Map(pending.map(finding => [finding.subject.name, finding]));
    const refused = new Set<string>();
    await several(pairs, async ({ asker }) => {
      try {
        await lab().start(asker);
      } catch (error) {
        assert.ok(
          error instanceof EngineError && /already allocated|already in use/.test(error.message),
          String(error),
        );
        refused.add(asker);
      }
    });
    const wrong = pairs.filter(({ asker }) => told.has(asker) !== refused.has(asker));
    assert.deepEqual(
      wrong.map(pair => ({
        ...pair,
        publish: askers.find(([name]) => name === pair.asker)?.[1],
        told: told.has(pair.asker),
      })),
      [],
    );
    assert.ok(
      pairs.length > 120 && refused.size > 50 && pairs.length - refused.size > 40,
      `${refused.size} of ${pairs.length}`,
    );

    const failed = (await doctor(lab())).filter(({ code }) => code === 'port-conflict-failed');
    assert.deepEqual(failed.map(({ subject }) => subject.name).sort(), [...refused].sort());
    for (const { asker, holder, port: at } of pairs) {
      const message = failed.find(({ subject }) => subject.name === asker)?.message;
      if (message === undefined) continue;
      const name = holder === 'host' ? `(pid ${process.pid})` : `container ${holder} holds`;
      assert.ok(message.includes(name) && message.includes(`:${at}/`), message);
    }
  });

  test('of a range that is held in part, it is told what Docker tries of it, and which port it failed with', async () => {
    const held = [...portsFrom(23_030, 3), ...portsFrom(23_100, 14), 23_202];
    const program = await lab().listen(...held.map(port => ({ address: '0.0.0.0', port })));
    await lab().run('giver', { publish: ['23040:80'] });
    const names = { short: '23030-23033', long: '23100-23115', given: '23040-23041', last: '23200-23202' };
    for (const [name, range] of Object.entries(names)) await lab().create(`part-${name}`, { publish: [`${range}:80`] });

    const isOfOne = lab().dockerMajor <= 26;
    const pending = (await doctor(lab())).filter(
      ({ code, subject }) => code === 'port-conflict-pending' && subject.name.startsWith('part-'),
    );
    const told = isOfOne ? ['part-last', 'part-long', 'part-short'] : ['part-long'];
    assert.deepEqual(pending.map(({ subject }) => subject.name).sort(), told);
    for (const { message } of pending) {
      assert.ok(message.includes('may not start') && message.includes(`(pid ${program.pid})`), message);
    }
    // Its first try is the first port, so that of those that may not start this one does.
    const refused: string[] = [];
    for (const name of Object.keys(names)) {
      await lab()
        .start(`part-${name}`)
        .catch(() => refused.push(`part-${name}`));
    }
    assert.deepEqual(refused, isOfOne ? ['part-short', 'part-long'] : ['part-long']);
    const failed = (await doctor(lab())).filter(({ subject }) => refused.includes(subject.name));
    assert.deepEqual(
      failed.map(({ subject, message }) => `${subject.name}: ${message.replace(/.*did not start: /, '')}`),
      refused.toSorted().map(name => {
        const range = name === 'part-short' ? names.short : names.long;
        const at = Number(range.slice(0, 5)) + (isOfOne ? 0 : 9);
        const listener = failed.find(({ subject }) => subject.name === name)?.message.match(/; (.*) \(pid/)?.[1];
        return `${name}: port ${at}/tcp of ${range} was taken; ${listener} (pid ${program.pid}) holds 0.0.0.0:${at}/tcp`;
      }),
    );
    await program.close();
  });

  test('a container that asks for a port twice is told of before its start exactly where Docker refuses it', async () => {
    // So that it is seen that docker-proxies are in use.
    await lab().run('published', { publish: ['22000:80'] });
    const ways: string[][] = [
      ['P:80', '0.0.0.0:P:80'],
      ['P:80', 'P:80'],
      ['P:80', 'P:81'],
      ['P:80', '[::]:P:80'],
      ['0.0.0.0:P:80', '[::]:P:80'],
      ['127.0.0.1:P:80', 'P:80'],
      ['127.0.0.1:P:80', 'P:81'],
      ['127.0.0.1:P:80', '127.0.0.1:P:80'],
      ['127.0.0.1:P:80', '127.0.0.1:P:81'],
      ['127.0.0.1:P:80', `${lab().addresses.host}:P:80`],
      ['P:80', 'P:80/udp'],
      ['P:80/udp', 'P:80/udp'],
      ['P:80/udp', '0.0.0.0:P:80/udp'],
      ['P:80/udp', 'P:81/udp'],
      ['P:80/udp', '127.0.0.1:P:81/udp'],
      ['[::1]:P:80', 'P:80'],
      ['[::1]:P:80', '[::]:P:80'],
      ['[::1]:P:80', '[::1]:P:80'],
      ['[::1]:P:80', '127.0.0.1:P:80'],
      ['P:80', 'P:80', 'P:80'],
      ['[::]:P:80', '0.0.0.0:P:81'],
      // Ranges, of which Docker takes one port each.
      ['P-Q:80', 'P:81'],
      ['P:80', 'P-Q:81'],
      ['P-Q:80', 'P-Q:81'],
      ['P-Q:80', 'P-Q:81', 'P-Q:82'],
      ['P-R:80', 'P:81', 'Q:82', 'R:83'],
      ['P-Q:80', '127.0.0.1:P:81'],
      ['127.0.0.1:P-Q:80', 'P:81', 'Q:82'],
      ['127.0.0.1:P-Q:80', '127.0.0.2:P:81', '127.0.0.2:Q:82'],
      ['127.0.0.1:P-Q:80', 'P-Q:80'],
      ['127.0.0.1:P-Q:80', 'P-Q:81'],
      ['127.0.0.1:P-Q:80', '127.0.0.2:P-Q:80'],
      ['P-Q:80', 'P-Q:80'],
      ['0.0.0.0:P-Q:80', 'P-Q:80'],
      ['P-Q:80/udp', 'P-Q:80/udp'],
      ['P-Q:80', 'P:80'],
      ['P:80', 'P-Q:80'],
      ['P-Q:80', 'P:80', 'Q:80'],
      ['P:80/udp', 'P-Q:80/udp'],
      ['P-Q:80/udp', 'P:80/udp'],
      ['P-Q:80/udp', 'Q:80/udp'],
      ['P-Q:80/udp', 'P:81/udp', 'Q:82'],
      ['[::]:P-Q:80', 'P:81', 'Q:82'],
      ['[::1]:P-Q:80', 'P-Q:81'],
      ['Q:80', 'P-R:81'],
      ['Q:81', 'P-R:80'],
    ];
    const containers = ways.map((publish, i) => ({
      name: `twice${i}`,
      publish: publish.map(each => each.replaceAll(/[PQR]/g, letter => String(22_001 + 3 * i + 'PQR'.indexOf(letter)))),
    }));
    await several(containers, async ({ name, publish }) => {
      await lab().create(name, { publish });
    });
    const findings = await doctor(lab());
    // Of a range Docker tries another port at the next start.
    const starts = new Map<string, (string | undefined)[]>(containers.map(({ name }) => [name, []]));
    await several(containers, async ({ name }) => {
      for (let start = 0; start < 3; start += 1) {
        const refusal = await lab()
          .start(name)
          .catch((error: unknown) => String(error));
        starts.get(name)?.push(refusal ?? undefined);
        if (refusal === undefined) await lab().stop(name);
      }
    });
    const chances: string[] = [];
    const wrong = containers.flatMap(({ name, publish }) => {
      const told = findings.find(({ code, subject }) => code === 'port-conflict-pending' && subject.name === name);
      const refused = (starts.get(name) ?? []).filter(refusal => refusal !== undefined);
      if (told && / may not start as things are: it asks for .* itself: /.test(told.message)) {
        if (refused.length > 0) chances.push(name);
        return [];
      }
      const fits = told
        ? refused.length === 3 && / can never start: .* itself/.test(told.message)
        : refused.length === 0;
      return fits ? [] : [{ publish, told: told?.message, refused }];
    });
    const never = [...starts.values()].filter(each => each.every(refusal => refusal !== undefined));
    // What is told as a chance really is one, of all but few of them at these three starts.
    const mays = findings.filter(({ message }) => message.includes(' may not start as things are: it asks for '));
    assert.ok(chances.length >= mays.length - 1, `${chances.length} of ${mays.length}`);
    assert.equal(mays.length > 0, lab().dockerMajor <= 26);
    assert.deepEqual(wrong, []);
    assert.ok(never.length >= 16 && never.length < containers.length - 16, `${never.length} refused`);
  });
});

for (const proxied of [true, false]) {
  const title = `conflicts on the IPv6 side are possible until a container shows that docker-proxy is ${proxied ? '' : 'not '}in use`;
  labTest(title, { dockerdArgs: proxied ? [] : ['--userland-proxy=false'] }, async lab => {
    const program = await lab.listen(...held6, { address: '::', port: 5010, v6only: true, proto: 'udp' });
    for (const [i, publish] of asked6.entries()) await lab.create(`six${i}`, { publish: [publish] });
    const told = async () =>
      (await doctor(lab)).flatMap(({ code, message }) => (code === 'port-conflict-pending' ? [message] : []));
    const first = await told();
    for (const message of first) {
      assert.match(
        message,
        /may not start as things are: .*whether it is here does not show while no container publishes a port$/,
      );
      assert.ok(message.includes(`(pid ${program.pid})`), message);
    }
    assert.equal(first.length, asked6.length);
    // Once a container shows it, there is no doubt.
    await lab.run('shows', { publish: ['5999:80'] });
    const later = await told();
    const outcomes = await startAll(lab);
    const refused = outcomes.filter(outcome => outcome !== 'started');
    assert.deepEqual(
      refused,
      later.map(() => 'refused'),
    );
    assert.ok(later.every(message => message.includes(' will not start ')));
    await program.close();
  });
}

for (const proxied of [true, false]) {
  const flag = `--userland-proxy=${proxied}`;
  labTest(
    `dockerd's own ${flag} tells root what comes of conflicts on the IPv6 side`,
    { dockerdArgs: [flag] },
    async lab => {
      const program = await lab.listen(...held6, { address: '::', port: 5010, v6only: true, proto: 'udp' });
      for (const [i, publish] of asked6.entries()) await lab.create(`six${i}`, { publish: [publish] });
      const told = async (...args: string[]) =>
        (await doctor(lab, ...args)).flatMap(({ code, message }) =>
          code === 'port-conflict-pending' ? [message] : [],
        );
      // Where it is asked by another path than it listens at, that process is not known to be the one.
      assert.ok((await told()).every(message => message.includes(' may not start ')));
      const sure = await told('--host', 'unix:///var/run/docker.sock');
      assert.ok(
        sure.every(message => message.includes(' will not start ')),
        sure.join('\n'),
      );
      const refused = (await startAll(lab)).filter(outcome => outcome !== 'started');
      assert.deepEqual(
        refused,
        sure.map(() => 'refused'),
      );
      assert.equal(sure.length, proxied ? asked6.length : 0);
      await program.close();
      // Its configuration file cannot say otherwise.
      await lab.daemon.stop();
      await assert.rejects(lab.daemon.start(undefined, { 'userland-proxy': !proxied }), /userland-proxy/);
    },
  );
}
