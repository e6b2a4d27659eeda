/** A container whose answers go past the host, by a macvlan of its own, against a neighbour that asks at its published port. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { FindingSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import { explain, paste } from './explaining.ts';
import { runJson } from './netdash.ts';

describeLab('answers past the host', {}, lab => {
  test('a published port is found cut off while the container answers by a macvlan', async () => {
    const host = lab();
    const { host: own, lan } = host.addresses;
    await host.networkCreate('zz-wire', {
      driver: 'macvlan',
      ipam: [{ subnet: '10.77.0.0/24', gateway: lan, ipRange: '10.77.0.128/28' }],
      options: { parent: 'eth0' },
    });
    await host.run('past', { publish: ['0.0.0.0:18087:80'] });
    // Whoever gets an answer that it did not ask for says so to the address that it came from: here that leads to the host.
    await host.inLan(['ip', 'route', 'add', '172.16.0.0/12', 'via', own]);
    const found = async () => {
      const { json } = await runJson(host, 'doctor');
      const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
      return findings.filter(({ subject }) => subject.name === 'past');
    };
    assert.ok(await host.fetchFrom('lan', own, 18087));
    assert.deepEqual(await found(), []);

    await host.networkConnect('zz-wire', 'past');
    const inside = (await host.inspect('past')).NetworkSettings.Networks['zz-wire']?.IPAddress ?? '';
    for (const isDefault of [false, true]) {
      if (isDefault) await host.inContainer('past', ['ip', 'route', 'replace', 'default', 'via', lan, 'dev', 'eth1']);
      assert.equal(await host.fetchFrom('lan', own, 18087), undefined);
      assert.ok(await host.fetchFrom('lan', inside, 80), 'its own address there answers');
      const [verdict] = await explain(host, '18087', '--from', 'lan');
      assert.deepEqual([verdict?.verdict, verdict?.decidedBy?.past], ['blocked', inside]);
      assert.match(await paste(host, verdict?.confirm), /dev eth1/);
      const findings = await found();
      assert.deepEqual(
        findings.map(({ code }) => code),
        ['blocked'],
      );
      assert.match(findings[0]?.message ?? '', /past answers by eth1, its macvlan on eth0, past the host/);
      assert.match(findings[0]?.fix ?? '', new RegExp(`own address on that network, ${inside},`));
    }
    const [near] = await explain(host, '18087', '--from', 'loopback');
    assert.equal(near?.verdict, 'reachable');
    assert.ok(await host.fetchFrom('host', '127.0.0.1', 18087));
    await host.networkDisconnect('zz-wire', 'past');
    await host.restart('past');
    assert.ok(await host.fetchFrom('lan', own, 18087));
  });
});
