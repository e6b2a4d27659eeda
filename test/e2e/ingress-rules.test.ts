/** The rules that Docker writes inside of swarm tasks with ingress ports, against what answers in there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLab } from '../lab/for-tests.ts';
import { seedSwarm } from '../lab/seeds/swarm.ts';
import { explain } from './explaining.ts';

describeLab('rules inside a swarm task', {}, lab => {
  test('are seen: by its address on the ingress network it does not even reach itself', async () => {
    const { service } = await seedSwarm(lab());
    const listed = (await lab().api('GET', '/containers/json')) as { Names: string[] }[];
    const name = listed.flatMap(({ Names }) => Names.map(each => each.slice(1))).find(each => each.startsWith(service));
    assert.ok(name !== undefined);
    const { NetworkSettings, State } = await lab().inspect(name);
    const ingress = NetworkSettings.Networks['ingress']?.IPAddress ?? '';
    assert.notEqual(ingress, '');
    const enter = ['nsenter', '-t', String(State.Pid), '-n'];
    const other = await lab().spawnInHost([...enter, lab().busybox, 'httpd', '-f', '-p', '81', '-h', '/']);
    const script = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | "$0" nc -w 2 "$1" "$2"`;
    for (const [address, port, isOpen] of [
      [ingress, 80, false],
      [ingress, 81, false],
      ['127.0.0.1', 81, true],
    ] as const) {
      const { stdout } = await lab().inContainer(name, ['sh', '-c', script, lab().busybox, address, String(port)]);
      assert.equal(stdout !== '', isOpen, `${address} ${port}: what answers`);
      const [verdict] = await explain(lab(), `${address}:${port}`, '--from', `container:${name}`);
      assert.equal(verdict?.verdict, isOpen ? 'reachable' : 'blocked', verdict?.decidedBy?.detail);
      if (!isOpen) assert.deepEqual([verdict?.decidedBy?.inside, verdict?.decidedBy?.chain], [name, 'OUTPUT']);
    }
    await other.kill('SIGKILL');
  });
});
