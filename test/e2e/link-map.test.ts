/**
 * The link map against a witness that shares nothing with it: each container interface sends a packet, and the bridge
 * itself learns on which of its ports that interface's MAC lives.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { takeSnapshot } from './netdash.ts';

const containers = Array.from({ length: 50 }, (_, index) => `link-${index}`);
const networks = ['link-a', 'link-b', 'link-c'];

interface Port {
  container: string;
  interface: string;
  mac: string;
  veth: string;
  bridge: string;
}

interface IpLink {
  ifname: string;
  address: string;
  linkinfo?: { info_kind?: string };
}

/** What the bridges learnt after every container interface has spoken. */
async function learnt(lab: Lab, names: readonly string[]): Promise<Port[]> {
  const interfaces = await Promise.all(
    names.map(async name => {
      const { stdout } = await lab.inContainer(name, ['ip', '-j', '-d', 'addr']);
      const links = (JSON.parse(stdout) as (IpLink & { addr_info: { family: string; local: string }[] })[]).filter(
        link => link.linkinfo?.info_kind === 'veth',
      );
      // To ask for the gateway's MAC is a broadcast with the interface's own MAC as source.
      for (const link of links) {
        const address = link.addr_info.find(item => item.family === 'inet')?.local ?? '';
        const gateway = address.replace(/\d+$/, '1');
        await lab.inContainer(name, [lab.busybox, 'arping', '-q', '-c', '1', '-w', '1', '-I', link.ifname, gateway]);
      }
      return links.map(link => ({ container: name, interface: link.ifname, mac: link.address }));
    }),
  );
  const { stdout } = await lab.inHost(['bridge', '-j', 'fdb', 'show']);
  const entries = JSON.parse(stdout) as { mac: string; ifname: string; master?: string; state?: string }[];
  return interfaces.flat().map(item => {
    const found = entries.filter(entry => entry.mac === item.mac && entry.master && entry.state !== 'permanent');
    assert.equal(found.length, 1, `${item.container} ${item.interface} ${item.mac}: learnt ${JSON.stringify(found)}`);
    return { ...item, veth: found[0]!.ifname, bridge: found[0]!.master! };
  });
}

/** netdash's map of the same containers. */
async function mapped(
  lab: Lab,
  names: readonly string[],
): Promise<{ links: Port[]; endpoints: Port[]; unplaced: string[] }> {
  const snapshot = await takeSnapshot(lab);
  const wanted = new Set(names);
  const links = snapshot.links
    .filter(link => link.containerName !== undefined && wanted.has(link.containerName))
    .map(link => ({
      container: link.containerName!,
      interface: link.containerInterface!,
      mac: link.mac!,
      veth: link.veth,
      bridge: link.bridge!,
    }));
  const endpoints = snapshot.containers
    .filter(container => wanted.has(container.name))
    .flatMap(container =>
      container.endpoints.map(endpoint => ({
        container: container.name,
        interface: endpoint.interface!,
        mac: endpoint.mac!,
        veth: endpoint.veth!,
        bridge: endpoint.bridge!,
      })),
    );
  const unplaced = snapshot.links
    .filter(link => link.bridge !== undefined && link.containerName === undefined)
    .map(link => JSON.stringify({ link, sources: snapshot.sources }));
  return { links, endpoints, unplaced };
}

/** What only one of the two lists has. */
function differing(seen: readonly Port[], witness: readonly Port[]): string[] {
  const [ours, theirs] = [seen, witness].map(ports => new Set(ports.map(port => JSON.stringify(port))));
  return [
    ...[...ours!].filter(port => !theirs!.has(port)).map(port => `wrong: ${port}`),
    ...[...theirs!].filter(port => !ours!.has(port)).map(port => `missing: ${port}`),
  ];
}

async function agree(lab: Lab, names: readonly string[], when: string): Promise<void> {
  const witness = await learnt(lab, names);
  const { links, endpoints, unplaced } = await mapped(lab, names);
  assert.deepEqual(unplaced, [], `veths without a container ${when}`);
  assert.deepEqual(differing(links, witness), [], `links ${when}`);
  assert.deepEqual(differing(endpoints, witness), [], `endpoints ${when}`);
}

describeLab('the link map of 50 containers', { seed: 'none' }, lab => {
  test('is what the bridges learn, through 20 restarts and network connects', async () => {
    const host = lab();
    for (const network of networks) await host.networkCreate(network);
    await Promise.all(
      containers.map((name, index) => host.run(name, { network: ['bridge', ...networks][index % 4]! })),
    );
    await agree(host, containers, 'at first');
    for (let step = 0; step < 20; step += 1) {
      const name = containers[(step * 7) % containers.length]!;
      const other = containers[(step * 11 + 3) % containers.length]!;
      const network = networks[step % networks.length]!;
      const { NetworkSettings } = await host.inspect(other);
      if (network in NetworkSettings.Networks) {
        if (Object.keys(NetworkSettings.Networks).length > 1) await host.networkDisconnect(network, other);
      } else await host.networkConnect(network, other);
      await host.restart(name);
      if (step % 4 === 3) await agree(host, containers, `after step ${step}`);
    }
  });
});
