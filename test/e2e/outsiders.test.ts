/** Who has a socket in a container's netns open when it is no process of the container's: found by /proc, told by `netdash snapshot`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { ListenerSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import { explain } from './explaining.ts';
import { runJson } from './netdash.ts';

const Containers = v.object({
  containers: v.array(v.object({ name: v.string(), listeners: v.nullable(v.array(ListenerSchema)) })),
});

describeLab('sockets of others in the netns of a container', {}, lab => {
  /** The listeners inside a container, as netdash has them. */
  const listenersIn = async (name: string) => {
    const { json } = await runJson(lab(), 'snapshot');
    const found = v.parse(Containers, json).containers.find(each => each.name === name);
    return found?.listeners ?? [];
  };
  const at = async (name: string, port: number) => (await listenersIn(name)).find(each => each.port === port);
  /** A server of the host, in the netns of a container. */
  const serveIn = async (name: string, port: number) => {
    const { State } = await lab().inspect(name);
    const enter = ['nsenter', '-t', String(State.Pid), '-n'];
    return lab().spawnInHost([...enter, lab().busybox, 'httpd', '-f', '-p', String(port), '-h', '/']);
  };

  test('are theirs, and not the container’s', async () => {
    await lab().networkCreate('out-net');
    await lab().run('out-box', { network: 'out-net', publish: ['17080:81'] });
    await lab().run('out-joined', { network: 'container:out-box', cmd: ['sleep', '1d'] });
    await lab().run('out-alone', { publish: ['17081:81'] });
    const held = { 'out-box': await serveIn('out-box', 81), 'out-alone': await serveIn('out-alone', 81) };
    for (const name of ['out-box', 'out-alone'] as const) {
      const [foreign, own] = [await at(name, 81), await at(name, 80)];
      assert.deepEqual([foreign?.owner.kind, foreign?.pid, foreign?.process], ['process', held[name].pid, 'busybox']);
      assert.deepEqual([own?.owner.kind, own?.owner.containerName], ['container', name]);
    }
    const dns = (await listenersIn('out-box')).filter(({ address }) => address === '127.0.0.11');
    assert.ok(dns.length > 0);
    for (const { owner, embeddedDns } of dns) assert.deepEqual([owner.kind, embeddedDns], ['docker', true]);

    // The container is paused, and the server of the host is not.
    await lab().api('POST', '/containers/out-alone/pause');
    assert.ok(await lab().fetchFrom('lan', lab().addresses.host, 17081));
    const [paused] = await explain(lab(), `${lab().addresses.host}:17081`, '--from', 'lan');
    assert.equal(paused?.verdict, 'reachable');
    await lab().api('POST', '/containers/out-alone/unpause');
    for (const server of Object.values(held)) await server.kill('SIGKILL');
  });
});
