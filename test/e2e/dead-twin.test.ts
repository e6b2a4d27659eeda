/** Two interfaces in one network, of which the one with the winning route is dead, against who is answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { FindingSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import { explain, paste } from './explaining.ts';
import { runJson } from './netdash.ts';

describeLab('two interfaces in one network', {}, lab => {
  const host = () => lab();
  const sh = async (command: string) => {
    const { code, stdout, stderr } = await host().inHost(['sh', '-c', command]);
    assert.equal(code, 0, `${command}: ${stderr}`);
    return stdout;
  };
  /** What a neighbour on the second one gets. */
  const answer = (address: string, port: number) =>
    sh(`printf 'GET / HTTP/1.0\r\n\r\n' | ip netns exec twin ${host().busybox} nc -w 2 ${address} ${port} || :`);
  const blocked = async () => {
    const { json } = await runJson(host(), 'doctor');
    const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
    return findings.filter(({ code }) => code === 'blocked');
  };

  test('that nobody is answered on the one while the route of the other wins is found, named, and gone with its route', async () => {
    await host().run('twin-web', { publish: ['16200:80'] });
    await sh('ip netns add twin && ip link add eth9 type veth peer name eth9 netns twin');
    await sh(
      'ip addr add 10.77.0.150/24 dev eth9 && ip link set eth9 up && ip -6 addr add fd00:77::150/64 dev eth9 nodad',
    );
    await sh(
      'ip -n twin addr add 10.77.0.160/24 dev eth9 && ip -n twin addr add fd00:77::160/64 dev eth9 nodad && ip -n twin link set eth9 up',
    );
    // Both are alive: whoever asks on the second is answered by the first, which leads elsewhere; nothing is certain of that.
    assert.deepEqual(await blocked(), []);
    assert.equal(await answer('10.77.0.150', 16200), '');

    await sh('ip -n lan link set eth0 down');
    assert.equal(await answer('10.77.0.150', 16200), '');
    const [verdict] = await explain(host(), '10.77.0.150:16200', '--from', 'lan:eth9');
    assert.deepEqual(
      [verdict?.verdict, verdict?.decidedBy?.off, verdict?.decidedBy?.onAnswer],
      ['blocked', 'eth0', true],
    );
    const [finding, ...others] = await blocked();
    assert.deepEqual(others, []);
    assert.equal(finding?.subject.name, 'twin-web');
    assert.match(finding.message, /cannot be reached from the LAN of eth9: the answer is stopped: eth0 has no carrier/);
    assert.match(finding.fix ?? '', /^Nothing is at the other end of eth0/);
    assert.match(await paste(host(), finding.confirm), /NO-CARRIER/);

    await sh('ip route del 10.77.0.0/24 dev eth0 && ip -6 route del fd00:77::/64 dev eth0');
    assert.notEqual(await answer('10.77.0.150', 16200), '');
    assert.deepEqual(await blocked(), []);
    await sh('ip netns del twin');
  });
});
