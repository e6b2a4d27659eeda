/** `netdash explain` on a lab host, against what really answers. The long comparison is the oracle's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { ExplainSchema } from '../../source/commands/explain-json.ts';
import { describeLab, labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash } from './netdash.ts';

async function explain(lab: Lab, ...args: string[]) {
  const { code, stdout, stderr } = await lab.inHost(netdash('explain', '--json', ...args));
  assert.equal(code, 0, stderr);
  return v.parse(ExplainSchema, JSON.parse(stdout)).verdicts;
}

describeLab('explain', {}, lab => {
  test('says reachable where a byte is answered, and names the rule where it is not', async () => {
    const host = lab();
    await host.run('ex-web', { publish: ['18080:80'] });
    const from = async (...args: string[]) => {
      const verdicts = await explain(host, '18080', ...args);
      return verdicts.find(({ to }) => !to.address.includes(':'));
    };
    assert.equal((await from('--from', 'lan'))?.verdict, 'reachable');
    assert.ok(await host.fetchFrom('lan', host.addresses.host, 18080));
    await host.inHost(['iptables', '-I', 'DOCKER-USER', '-i', 'eth0', '-p', 'tcp', '--dport', '80', '-j', 'DROP']);
    const blocked = await from('--from', 'lan');
    assert.equal(blocked?.verdict, 'blocked');
    assert.equal(blocked.decidedBy?.chain, 'DOCKER-USER');
    assert.match(blocked.decidedBy.text ?? '', /--dport 80 -j DROP/);
    assert.equal(await host.fetchFrom('lan', host.addresses.host, 18080), undefined);
    assert.equal((await from('--from', 'loopback'))?.verdict, 'reachable');
    assert.ok(await host.fetchFrom('host', '127.0.0.1', 18080));
    await host.inHost(['iptables', '-F', 'DOCKER-USER']);
  });

  test('names a bridge that is down, whatever becomes of the packet without its route', async () => {
    const host = lab();
    await host.run('ex-bridge', { publish: ['18083:80'] });
    await host.inHost(['ip', 'link', 'set', 'docker0', 'down']);
    for (const from of ['lan', 'loopback'] as const) {
      const seen = from === 'lan' ? 'lan' : 'host';
      assert.equal(await host.fetchFrom(seen, host.addresses.host, 18083), undefined);
    }
    const verdicts = (await explain(host, '18083')).filter(({ to }) => !to.address.includes(':'));
    assert.ok(verdicts.length >= 2);
    for (const { from, verdict, decidedBy, fix } of verdicts) {
      assert.notEqual(verdict, 'reachable', from.kind);
      assert.match(decidedBy?.detail ?? '', /docker0.* is down/, from.kind);
      if (from.kind === 'lan') assert.equal(fix, 'ip link set docker0 up');
    }
    await host.inHost(['ip', 'link', 'set', 'docker0', 'up']);
    await host.remove('ex-bridge');
  });

  test('tells a port behind which nothing listens, and a paused container', async () => {
    const host = lab();
    await host.run('ex-dead', { publish: ['18081:81'] });
    await host.run('ex-still', { publish: ['18082:80'] });
    await host.api('POST', '/containers/ex-still/pause');
    for (const port of ['18081', '18082']) {
      const verdicts = await explain(host, port);
      assert.ok(verdicts.length >= 2);
      for (const { verdict } of verdicts) assert.equal(verdict, 'nothing-listening', port);
    }
    await host.api('POST', '/containers/ex-still/unpause');
  });
});

labTest(
  'with icc off, a link opens the exposed ports of the linked container and no others',
  { dockerdArgs: ['--icc=false'] },
  async lab => {
    await lab.run('ex-a');
    await lab.run('ex-b', { links: ['ex-a:a'] });
    await lab.run('ex-c');
    const { NetworkSettings, State } = await lab.inspect('ex-a');
    const address = NetworkSettings.Networks['bridge']?.IPAddress ?? '';
    // Listens there too, and is not exposed.
    await lab.spawnInHost([
      'nsenter',
      '-t',
      String(State.Pid),
      '--net',
      lab.busybox,
      'httpd',
      '-f',
      '-p',
      '81',
      '-h',
      '/',
    ]);
    const really = async (from: string, port: number): Promise<boolean> => {
      const script = 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | "$0" nc -w 1 "$1" "$2"';
      const { stdout } = await lab.inContainer(from, ['sh', '-c', script, lab.busybox, address, String(port)]);
      return stdout !== '';
    };
    for (const [from, port, expected] of [
      ['ex-b', 80, true],
      ['ex-b', 81, false],
      ['ex-c', 80, false],
    ] as const) {
      assert.equal(await really(from, port), expected, `${from} to port ${port}`);
      const [verdict] = await explain(lab, `ex-a:${port}`, '--from', `container:${from}`);
      assert.equal(verdict?.verdict, expected ? 'reachable' : 'blocked', `${from} to port ${port}`);
    }
  },
);
