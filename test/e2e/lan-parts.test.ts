/** Routes to parts of the LAN, against who of its neighbours is answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLab } from '../lab/for-tests.ts';
import { explain } from './explaining.ts';

describeLab('routes to parts of the LAN', {}, lab => {
  const ip = async (...args: string[]) => {
    const { code, stderr } = await lab().inHost(['ip', ...args]);
    assert.equal(code, 0, stderr);
  };
  /** What is said of any neighbour, and of the one there is. */
  const verdicts = async (address: string, neighbour: string) => {
    const target = address.includes(':') ? `[${address}]:16000` : `${address}:16000`;
    const said = await Promise.all([`lan:eth0`, neighbour].map(from => explain(lab(), target, '--from', from)));
    return said.map(([verdict]) => verdict);
  };

  test('make it blocked where they cover all of it, and unknown where they cover half', async () => {
    const { host, host6, lan, lan6 } = lab().addresses;
    await lab().run('part-web', { publish: ['16000:80'] });
    await ip('link', 'add', 'vpn0', 'type', 'veth', 'peer', 'name', 'vpn1');
    for (const name of ['vpn0', 'vpn1']) await ip('link', 'set', name, 'up');
    const [, half4 = 0] = /\.(\d+)$/.exec(lan) ?? [];
    const halves4 = ['10.77.0.0/25', '10.77.0.128/25'];
    const near4 = halves4[Number(half4) < 128 ? 0 : 1]!;
    const halves6 = ['fd00:77::/65', 'fd00:77:0:0:8000::/65'];
    const cases = [
      { address: host, by: lan, halves: halves4, near: near4, how: (part: string) => ['blackhole', part] },
      { address: host, by: lan, halves: halves4, near: near4, how: (part: string) => [part, 'dev', 'vpn0'] },
      { address: host6, by: lan6, halves: halves6, near: halves6[0]!, how: (part: string) => ['blackhole', part] },
    ];
    for (const { address, by, halves, near, how } of cases) {
      const answers = async () => (await lab().fetchFrom('lan', address, 16000)) !== undefined;
      const family = address.includes(':') ? '-6' : '-4';
      const what = `${family} ${how('').join(' ')}`;
      assert.equal(await answers(), true, what);
      assert.deepEqual(
        (await verdicts(address, by)).map(each => each?.verdict),
        ['reachable', 'reachable'],
        what,
      );

      // Of half of the neighbours.
      await ip(family, 'route', 'add', ...how(near));
      assert.equal(await answers(), false, what);
      const [any, one] = await verdicts(address, by);
      assert.equal(any?.verdict, 'unknown', what);
      assert.match(any.decidedBy?.detail ?? '', /^it depends on who asks: parts of the network of eth0 .*/, what);
      // Whoever has an address is looked for where its route leads, which is not the LAN any more.
      if (how('').includes('blackhole')) assert.notEqual(one?.verdict, 'reachable', what);

      // Of all of them.
      const [far = ''] = halves.filter(half => half !== near);
      await ip(family, 'route', 'add', ...how(far));
      assert.equal(await answers(), false, what);
      const [nobody] = await verdicts(address, by);
      if (how('').includes('blackhole')) assert.equal(nobody?.verdict, 'blocked', what);
      else assert.notEqual(nobody?.verdict, 'reachable', what);

      // Of somebody else.
      await ip(family, 'route', 'del', ...how(near));
      assert.equal(await answers(), true, what);
      const [still, here] = await verdicts(address, by);
      assert.deepEqual([still?.verdict, here?.verdict], ['unknown', 'reachable'], what);
      await ip(family, 'route', 'del', ...how(far));

      // A single neighbour does not speak for all.
      const length = family === '-6' ? 128 : 32;
      await ip(family, 'route', 'add', 'blackhole', `${by}/${length}`);
      assert.equal(await answers(), false, what);
      const [most, other] = await verdicts(address, by);
      assert.equal(most?.verdict, 'reachable', what);
      assert.notEqual(other?.verdict, 'reachable', what);
      await ip(family, 'route', 'del', 'blackhole', `${by}/${length}`);
    }
    await lab().remove('part-web');
  });
});
