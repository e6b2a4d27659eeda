/** Somebody to whom the host has no route: what is said of that address against whether it is answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLab } from '../lab/for-tests.ts';
import { explain, paste } from './explaining.ts';

describeLab('somebody to whom the host has no route', {}, lab => {
  test('is blocked by whatever interface he comes, and unknown where his answers may not pass the host', async () => {
    const host = lab();
    const { host: own, host6, lan, lan6 } = host.addresses;
    const ip = async (...args: string[]) => {
      const { code, stderr } = await host.inHost(['ip', ...args]);
      assert.equal(code, 0, stderr);
    };
    const ipOfLan = async (...args: string[]) => {
      const { code, stderr } = await host.inLan(['ip', ...args]);
      assert.equal(code, 0, stderr);
    };
    await host.run('far-web', { publish: ['16100:80'] });
    const listener = await host.listen(
      { address: '0.0.0.0', port: 16101 },
      { address: '::', port: 16101, v6only: true },
    );
    const sides = [
      { family: '-4', who: '10.99.0.5', part: '10.99.0.0/24', to: own, target: own, by: lan },
      { family: '-6', who: 'fd00:99::5', part: 'fd00:99::/64', to: host6, target: `[${host6}]`, by: lan6 },
    ];
    for (const { family, who, part, to, target, by } of sides) {
      // The neighbour asks from that address.
      await ipOfLan(family, 'addr', 'add', who, 'dev', 'lo');
      await ipOfLan(family, 'route', 'add', to, 'dev', 'eth0', 'src', who);
      const ways: string[][] = [
        [part, 'via', by],
        ...['blackhole', 'unreachable', 'prohibit'].map(type => [type, part]),
        ...(family === '-4' ? [['throw', part]] : []),
      ];
      let answered = 0;
      for (const way of ways) {
        await ip(family, 'route', 'add', ...way);
        for (const port of [16100, 16101]) {
          const isAnswered = (await host.fetchFrom('lan', to, port)) !== undefined;
          const [verdict] = await explain(host, `${target}:${port}`, '--from', who);
          assert.equal(verdict?.verdict, isAnswered ? 'reachable' : 'blocked', `${way.join(' ')} ${port}`);
          if (isAnswered) answered += 1;
          else {
            assert.equal(verdict.decidedBy?.onAnswer, true);
            assert.match(
              verdict.decidedBy.detail,
              way[0] === 'throw' ? /has no route to/ : new RegExp(`of type ${way[0]}$`),
            );
            assert.doesNotMatch(await paste(host, verdict.confirm), / dev eth0 /);
          }
        }
        // What is proposed takes the route away.
        const [cut] = await explain(host, `${target}:16101`, '--from', who);
        const [, command] = /^If that is not meant to keep them out: (.*)$/.exec(cut?.fix ?? '') ?? [];
        assert.equal(command !== undefined, ['blackhole', 'unreachable', 'prohibit'].includes(way[0] ?? ''), cut?.fix);
        // What nobody serves is no matter of routes.
        const [dead] = await explain(host, `${target}:16109`, '--from', who);
        assert.equal(dead?.verdict, 'nothing-listening', way.join(' '));
        if (command === undefined) await ip(family, 'route', 'del', ...way);
        else assert.equal(await paste(host, command), '');
        assert.equal((await host.inHost(['ip', family, 'route', 'show', part])).stdout, '');
      }
      assert.equal(answered, 2);
    }

    // A container on the LAN itself answers past the host.
    await ip('-4', 'route', 'add', 'blackhole', '10.99.0.0/24');
    await host.networkCreate('beyond', {
      driver: 'macvlan',
      ipam: [{ subnet: '10.77.0.0/24', gateway: lan }],
      options: { parent: 'eth0' },
    });
    await host.run('beside', { network: 'beyond', ip: '10.77.0.180' });
    const [past] = await explain(host, '10.77.0.180:80', '--from', '10.99.0.5');
    assert.equal(past?.verdict, 'unknown');
    await host.remove('beside');
    await listener.close();
  });
});
