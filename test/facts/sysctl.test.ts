/** Settings of interfaces with uncommon names: commands that do what they say, or none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelReading, Readings } from '../../source/host/readings.ts';
import { interfaceSetting, isTypable } from '../../source/facts/sysctl.ts';
import { adviceFor } from '../../source/facts/walk/advice.ts';
import { describeLab } from '../lab/for-tests.ts';
import { judging } from './judging.ts';
import { ask, walkReadings, walkWorld } from './walk/host.ts';

const address = '10.77.0.100';

/** A host whose uplink has this name instead of eth0, with these settings. */
function uplink(name: string, settings: KernelReading['interfaces'][string]) {
  return (same: Readings): Readings => {
    const renamed = <T>(of: T): T =>
      JSON.parse(JSON.stringify(of), (_, value: unknown) => (value === 'eth0' ? name : value)) as T;
    const kernel = same.kernel.value!;
    const interfaces = { ...kernel.interfaces, [name]: { ...kernel.interfaces['eth0'], ...settings } };
    return { ...same, links: renamed(same.links), kernel: { ...same.kernel, value: { ...kernel, interfaces } } };
  };
}

/** What the finding and the advice for a neighbour's question say of an uplink of this name that does not forward. */
function said(name: string) {
  const change = uplink(name, { forwarding4: false });
  const finding = judging(walkReadings({ change })).find(({ code }) => code === 'forwarding-off');
  const from = { kind: 'lan', interface: name } as const;
  const verdict = ask(walkWorld({ change }), from, address, 8000);
  assert.equal(verdict.verdict, 'blocked');
  const advice = adviceFor({ from, to: { address, port: 8000, proto: 'tcp' } }, verdict);
  return { finding: { fix: finding?.fix, confirm: finding?.confirm }, advice };
}

test('a name with dots is given with slashes, which sysctl takes as well, a plain one as ever', () => {
  for (const [name, setting] of [
    ['eth0', 'net.ipv4.conf.eth0.forwarding'],
    ['br-1', 'net.ipv4.conf.br-1.forwarding'],
    ['eth0.10', 'net/ipv4/conf/eth0.10/forwarding'],
  ] as const) {
    assert.deepEqual(said(name), {
      finding: { fix: `sysctl -w ${setting}=1`, confirm: `cat /proc/sys/net/ipv4/conf/${name}/forwarding` },
      advice: { fix: `sysctl -w ${setting}=1`, confirm: `sysctl ${setting}` },
    });
  }
});

test('a name that cannot be typed, or that a shell or sysctl reads otherwise, is given in no command', () => {
  for (const name of ['e\uFFFD', 'e\u001B[1m', 'été0', '$(id)', 'a;b', 'a=b', 'a*', "a'b"]) {
    assert.equal(isTypable(name), false, name);
    const { finding, advice } = said(name);
    assert.deepEqual(finding, { fix: `Set net.ipv4.conf.${name}.forwarding to 1.`, confirm: undefined });
    assert.deepEqual(advice, { fix: `Set net.ipv4.conf.${name}.forwarding to 1.` });
  }
});

test('the way of the answer and the filter of the way back are advised about likewise', () => {
  const from = { kind: 'lan', interface: 'eth0' } as const;
  const question = { from, to: { address, port: 8000, proto: 'tcp' as const } };
  const on = { forwarding4: true, rpFilter: 0 };
  const back = walkWorld({ kernel: { interfaces: { eth0: on, docker0: { ...on, forwarding4: false } } } });
  assert.equal(adviceFor(question, ask(back, from, address, 8000)).fix, 'sysctl -w net.ipv4.conf.docker0.forwarding=1');
  const detail = `${interfaceSetting('eth0.10', 'rp_filter')} is 1, and 10.77.0.0/24 is reached by eth1`;
  assert.deepEqual(adviceFor(question, { verdict: 'blocked', path: [], decidedBy: { kind: 'sysctl', detail } }), {
    fix: 'Set net/ipv4/conf/eth0.10/rp_filter to 2 (loose) or mend the route.',
    confirm: 'sysctl net/ipv4/conf/eth0.10/rp_filter',
  });
});

describeLab('the commands', {}, lab => {
  describe('do what they say', () => {
    for (const name of ['eth0', 'eth0.10', 'a.b.c', 'a+b@c,d', 'br-1']) {
      test(name, async () => {
        assert.ok(isTypable(name));
        const setting = interfaceSetting(name, 'forwarding');
        const script = [
          'set -e',
          `ip link add ${name} type bridge`,
          `echo 0 >/proc/sys/net/ipv4/conf/${name}/forwarding`,
          `sysctl -q -w ${setting}=1`,
          `cat /proc/sys/net/ipv4/conf/${name}/forwarding`,
          `sysctl -n ${setting}`,
        ].join('\n');
        const { code, stdout, stderr } = await lab().inHost(['unshare', '-n', 'sh', '-c', script]);
        assert.deepEqual({ code, stdout }, { code: 0, stdout: '1\n1\n' }, stderr);
      });
    }
  });
});
