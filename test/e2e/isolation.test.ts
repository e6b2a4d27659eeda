/** `netdash explain B --from container:A`: whether one container reaches another, in every network mode, against a real exchange. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as v from 'valibot';
import { ExplainSchema } from '../../source/commands/explain-json.ts';
import { FindingSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash, runJson } from './netdash.ts';

/** Who asks whom, on which port, the verdict (undefined: Docker releases differ), and what it hangs on. */
type Case = [from: string, to: string, port: number, verdict: string | undefined, why?: RegExp];

const cases: readonly Case[] = [
  ['is-a', 'is-b', 80, 'reachable'],
  ['is-a', 'is-b', 81, 'nothing-listening'],
  ['is-a', 'is-default', 80, 'blocked', /DOCKER|raw/],
  ['is-closed-a', 'is-closed-b', 80, 'blocked', /DOCKER|FORWARD/],
  ['is-inner-a', 'is-inner-b', 80, 'reachable'],
  ['is-a', 'is-inner-a', 80, 'blocked', /DOCKER|raw/],
  ['is-inner-a', 'is-a', 80, 'blocked', /no route|DOCKER/],
  ['is-a', 'is-host', 18070, 'reachable'],
  // Older releases give such containers a default route, and the host answers.
  ['is-inner-a', 'is-host', 18070, undefined],
  ['is-host', 'is-a', 80, 'reachable'],
  ['is-host', 'is-closed-a', 80, 'reachable'],
  ['is-b', 'is-shared', 82, 'reachable'],
  ['is-shared', 'is-b', 80, 'reachable'],
  ['is-default', 'is-shared', 82, 'blocked', /DOCKER|raw/],
  ['is-shared', 'is-a', 80, 'reachable'],
  ['is-mac-a', 'is-mac-b', 80, 'reachable'],
  ['is-mac-a', 'is-host', 18070, 'blocked', /macvlan interface cannot exchange anything with its parent eth0/],
  ['is-host', 'is-mac-a', 80, 'blocked', /macvlan interface cannot exchange anything with its parent eth0/],
  ['is-none', 'is-a', 80, 'blocked', /no route/],
  ['is-none', 'is-none', 80, 'reachable'],
  ['is-two', 'is-default', 80, 'reachable'],
  ['is-two', 'is-a', 80, 'reachable'],
];

async function ask(lab: Lab, { from, to, port }: { from: string; to: string; port: number }) {
  const { code, stdout, stderr } = await lab.inHost(
    netdash('explain', '--json', `${to}:${port}`, '--from', `container:${from}`),
  );
  assert.equal(code, 0, stderr);
  return v.parse(ExplainSchema, JSON.parse(stdout)).verdicts;
}

async function isAnswered(lab: Lab, from: string, address: string, port: number): Promise<boolean> {
  const script = 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | "$0" nc -w 1 "$1" "$2"';
  const { stdout } = await lab.inContainer(from, ['sh', '-c', script, lab.busybox, address, String(port)]);
  return stdout !== '';
}

const httpd = (port: number): string[] => ['httpd', '-f', '-p', String(port), '-h', '/www'];

describeLab('isolation', {}, lab => {
  before(async () => {
    const host = lab();
    const { lan } = host.addresses;
    await host.networkCreate('is-app', { ipam: [{ subnet: '172.30.1.0/24' }] });
    const closed = { 'com.docker.network.bridge.enable_icc': 'false' };
    await host.networkCreate('is-closed', { ipam: [{ subnet: '172.30.3.0/24' }], options: closed });
    await host.networkCreate('is-inner', { internal: true, ipam: [{ subnet: '172.30.4.0/24' }] });
    await host.networkCreate('is-mac', {
      driver: 'macvlan',
      ipam: [{ subnet: '10.77.0.0/24', gateway: lan, ipRange: '10.77.0.64/27' }],
      options: { parent: 'eth0' },
    });
    for (const [name, network] of [
      ['is-a', 'is-app'],
      ['is-b', 'is-app'],
      ['is-closed-a', 'is-closed'],
      ['is-closed-b', 'is-closed'],
      ['is-inner-a', 'is-inner'],
      ['is-inner-b', 'is-inner'],
      ['is-mac-a', 'is-mac'],
      ['is-mac-b', 'is-mac'],
      ['is-none', 'none'],
      ['is-two', 'is-app'],
    ] as const) {
      await host.run(name, { network });
    }
    await host.run('is-default');
    await host.networkConnect('bridge', 'is-two');
    await host.run('is-host', { network: 'host', cmd: httpd(18070) });
    await host.run('is-shared', { network: 'container:is-a', cmd: httpd(82) });
  });

  for (const [from, to, port, expected, why] of cases) {
    test(`${from} to port ${port} of ${to}: ${expected ?? 'as it is'}`, async () => {
      const verdicts = await ask(lab(), { from, to, port });
      // A container without any network has no address to be asked for, but for its own loopback.
      if (from === to && verdicts.length === 0) return;
      assert.ok(verdicts.length > 0);
      for (const { verdict, to: place } of verdicts) {
        const answered = await isAnswered(lab(), from, place.address, place.port);
        assert.equal(verdict === 'reachable', answered, `${place.address}: ${verdict}, and answered: ${answered}`);
      }
      // Names resolve to the address on a network of both, which comes first.
      if (expected !== undefined) assert.equal(verdicts[0]?.verdict, expected, JSON.stringify(verdicts[0]));
      if (why) assert.match(verdicts[0]?.decidedBy?.detail ?? '', why);
    });
  }

  test('who joined the netns of one that joined it is cut off when its interfaces are gone, and not before', async () => {
    const host = lab();
    await host.run('is-further', { network: 'container:is-shared', cmd: httpd(83) });
    const isAlone = async (name: string) => !(await host.exec(name, ['ip', 'link'])).stdout.includes('eth0');
    const strandedOnes = async () => {
      const { json } = await runJson(host, 'doctor');
      const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
      return findings.filter(({ code }) => code === 'stranded-netns').map(({ subject }) => subject.name);
    };
    await host.stop('is-shared');
    assert.deepEqual([await isAlone('is-further'), await strandedOnes()], [false, []]);
    await host.remove('is-shared');
    assert.deepEqual([await isAlone('is-further'), await strandedOnes()], [false, []]);
    await host.run('is-shared', { network: 'container:is-a', cmd: httpd(82) });
    await host.remove('is-further');
    await host.run('is-further', { network: 'container:is-shared', cmd: httpd(83) });
    await host.restart('is-a');
    assert.ok((await isAlone('is-shared')) && (await isAlone('is-further')));
    assert.deepEqual((await strandedOnes()).sort(), ['is-further', 'is-shared']);
    await host.restart('is-shared');
    assert.deepEqual([await isAlone('is-further'), await strandedOnes()], [true, ['is-further']]);
  });
});
