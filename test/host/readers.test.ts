/** The readers on a real Docker host, against what `ip`, `ss` and namespaces show by hand. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type {
  InsideReading,
  LinksReading,
  ProcessesReading,
  SocketReading,
  SocketsReading,
} from '../../source/host/readings.ts';
import { labRequirement, startLab, type Lab, type LabProcess } from '../lab/lab.ts';
import type { Answer, Request } from './probe.ts';
import { asSs, fromIp, interfaces, ssKey, type IpLink } from './witness.ts';

const root = join(fileURLToPath(import.meta.url), '../../..');
const httpd = (where: string) => ['httpd', '-f', '-p', where, '-h', '/www'];
const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--no-new-privs'];

const owners = (sockets: SocketReading[]) =>
  sockets.map(({ inode, processes }) => [inode, processes?.map(({ pid }) => pid)]);
const sorted = (reading: ProcessesReading) => reading.proxies.sort((a, b) => a.pid - b.pid);
const takesOnlyV6 = (answer: Answer) => (answer.outcome!.value as InsideReading).listeners?.map(({ v6only }) => v6only);

/** A probe on the machine: asks it one thing at a time. */
class Probe {
  readonly #process: LabProcess;
  readonly #lines: Interface;

  constructor(process: LabProcess) {
    this.#process = process;
    this.#lines = createInterface({ input: process.child.stdout! });
    process.child.stderr!.resume();
  }

  async ask(request: Request): Promise<Answer> {
    const line = once(this.#lines, 'line') as Promise<[string]>;
    this.#process.child.stdin!.write(`${JSON.stringify(request)}\n`);
    return JSON.parse((await line)[0]) as Answer;
  }

  /** The reading, which must be complete. */
  async read<T>(request: Request): Promise<T> {
    const { outcome, error } = await this.ask(request);
    assert.equal(error, undefined);
    assert.equal(outcome?.missing, undefined);
    return outcome!.value as T;
  }

  async end(): Promise<void> {
    this.#process.child.stdin!.end();
    await this.#process.exited;
  }
}

const obstacle = labRequirement();
if (process.env['REQUIRE_LAB'] === '1') assert.equal(obstacle, undefined, 'REQUIRE_LAB=1 and no lab');

for (const docker of (process.env['LAB_VERSIONS'] ?? '20').split(',') as ('20' | '26' | '28')[]) {
  describe(`readers on Docker ${docker}`, { skip: obstacle }, () => {
    let lab: Lab;
    let probe: Probe;
    const start = async (prefix: string[] = []) =>
      new Probe(
        await lab.spawnInHost([...prefix, process.execPath, '--import', 'tsx', join(root, 'test/host/probe.ts')], {
          cwd: root,
        }),
      );
    const witness = async (name: string, ...command: string[]) => (await lab.inContainer(name, command)).stdout;

    before(async () => {
      lab = await startLab({ docker });
      probe = await start();
      await lab.networkCreate('app');
      await lab.networkCreate('six', { ipv6: true, ipam: [{ subnet: '172.30.77.0/24' }, { subnet: 'fd00:88::/64' }] });
      await lab.networkCreate('shut', { internal: true });
      await lab.networkCreate('lan', {
        driver: 'macvlan',
        options: { parent: 'eth0' },
        ipam: [{ subnet: '10.77.0.0/24', ipRange: '10.77.0.64/28' }],
      });
      await lab.run('plain', { publish: ['8080:80', '53:53/udp'] });
      await lab.run('two', { network: 'app' });
      await lab.networkConnect('shut', 'two');
      await lab.run('v6', { network: 'six', publish: ['80'] });
      await lab.run('mac', { network: 'lan' });
      await lab.run('none', { network: 'none' });
      await lab.run('host', { network: 'host', cmd: httpd(`${lab.addresses.host}:8070`) });
      await lab.run('joined', { network: 'container:plain', cmd: ['sleep', '100000'] });
      // Whose /sys shows another netns, or nothing of the kind.
      await lab.run('hostsys', { hostConfig: { Binds: ['/sys:/sys'] } });
      await lab.run('nosys', { hostConfig: { Tmpfs: { '/sys': '' } } });
      await lab.run('fifo', {
        hostConfig: { Tmpfs: { '/sys': '' } },
        cmd: [
          'sh',
          '-c',
          'mkdir -p /sys/class/net/eth0 /sys/class/net/lo; mkfifo /sys/class/net/eth0/ifindex; exec httpd -f -p 80',
        ],
      });
      // What a container can do to its own netns.
      await lab.run('busy', {
        hostConfig: { CapAdd: ['NET_ADMIN'] },
        cmd: [
          'sh',
          '-c',
          'ip addr add 172.17.99.1/32 dev eth0; ip addr add 10.99.0.1/24 dev eth0; ip link add here type veth; httpd -p 127.0.0.1:81; exec httpd -f -p 80',
        ],
      });
    });
    after(async () => {
      await probe?.end();
      await lab?.stop();
    });

    test('the host’s interfaces are those that sysfs shows', async () => {
      const { links, routes, traffic } = await probe.read<LinksReading>({ reader: 'links' });
      const script =
        'cd /sys/class/net; for i in *; do [ -d $i ] && echo $i $(cat $i/ifindex $i/iflink $i/mtu $i/address); done';
      const rows = (await lab.inHost(['sh', '-c', script])).stdout.trim().split('\n');
      assert.deepEqual(
        links
          .map(({ name, ifindex, peerIfindex, mtu, mac }) =>
            [name, ifindex, peerIfindex ?? ifindex, mtu, mac ?? '00:00:00:00:00:00'].join(' '),
          )
          .sort(),
        rows.sort(),
      );
      assert.deepEqual(Object.keys(traffic).sort(), links.map(({ name }) => name).sort());
      for (const { name, master } of links.filter(
        ({ kind, name: each }) => kind === 'veth' && each.startsWith('veth'),
      )) {
        const bridge = (await lab.inHost(['readlink', `/sys/class/net/${name}/master`])).stdout
          .trim()
          .split('/')
          .at(-1);
        assert.equal(master, bridge === '' ? undefined : bridge);
      }
      assert.ok(
        routes.some(
          route => route.destination === '172.17.0.0/16' && route.device === 'docker0' && route.source === '172.17.0.1',
        ),
      );
      assert.ok(routes.some(route => route.family === 6 && route.destination.startsWith('fd00:88::/64')));
    });

    test('every line of ss has its listener with the right processes', async () => {
      const held = await lab.listen(
        { address: '0.0.0.0', port: 0 },
        { address: '::', port: 0, v6only: true },
        { address: '::', port: 0 },
        { address: '127.0.0.1', port: 0, proto: 'udp' },
      );
      try {
        const { listeners, ownersReason } = await probe.read<SocketsReading>({ reader: 'sockets' });
        assert.equal(ownersReason, undefined);
        const lines = (await lab.inHost(['ss', '-H', '-tulnp'])).stdout.trim().split('\n');
        assert.deepEqual(listeners.map(asSs).sort(), lines.map(ssKey).sort());
        for (const [index, port] of held.ports.entries()) {
          const mine = listeners.find(socket => socket.port === port)!;
          assert.deepEqual(
            mine.processes?.map(({ pid }) => pid),
            [held.pid],
          );
          assert.equal(mine.v6only, [undefined, true, false, undefined][index]);
        }
        const own = listeners.find(({ port }) => port === 8070)!;
        assert.equal(own.processes?.[0]?.pid, (await lab.inspect('host')).State.Pid);
      } finally {
        await held.close();
      }
    });

    test('nothing is run again while the listeners stay, and what is new or gone is noticed', async () => {
      await probe.read({ reader: 'sockets' });
      assert.deepEqual((await probe.ask({ reader: 'sockets', remember: true })).ran, []);
      const held = await lab.listen({ address: '0.0.0.0', port: 0 });
      const noticed = await probe.ask({ reader: 'sockets', remember: true });
      assert.deepEqual(noticed.ran, ['ss -H -tulnpe']);
      const find = (answer: Answer) =>
        (answer.outcome!.value as SocketsReading).listeners.find(({ port }) => port === held.ports[0]);
      assert.equal(find(noticed)?.processes?.[0]?.pid, held.pid);
      await held.close();
      const gone = await probe.ask({ reader: 'sockets', remember: true });
      assert.equal(find(gone), undefined);
      assert.deepEqual(gone.ran, []);
    });

    test('a socket that only its heir still has open gets a new owner', async () => {
      // The shell's child keeps the connection's descriptor when the shell ends.
      const parent = await lab.spawnInHost([process.execPath, '-e', heir]);
      const [data] = (await once(parent.child.stdout!, 'data')) as [Buffer];
      const { port, child } = JSON.parse(data.toString()) as { port: number; child: number };
      const ownersOf = async (remember: boolean) =>
        (await probe.read<SocketsReading>({ reader: 'sockets', remember })).listeners
          .find(socket => socket.port === port)
          ?.processes?.map(({ pid }) => pid);
      assert.deepEqual(await ownersOf(false), [parent.pid, child]);
      await parent.kill('SIGKILL');
      await parent.exited;
      assert.deepEqual(await ownersOf(true), [child]);
      await lab.inHost(['kill', '-9', String(child)]);
    });

    test('without ss, the descriptors of all processes tell the owners', async () => {
      const { outcome } = await probe.ask({ reader: 'sockets', without: ['ss'] });
      const { listeners } = outcome!.value as SocketsReading;
      assert.match(outcome!.missing!, /^ss -H -tulnpe ended with status/);
      const exact = await probe.read<SocketsReading>({ reader: 'sockets' });
      // A socket that came or went between the two readings is in one of them only.
      const inodes = [listeners, exact.listeners].map(list => new Set(list.map(({ inode }) => inode)));
      const lasting = (list: SocketsReading['listeners']) =>
        list.filter(({ inode }) => inodes.every(known => known.has(inode)));
      assert.ok(lasting(listeners).length > 0);
      assert.deepEqual(owners(lasting(listeners)), owners(lasting(exact.listeners)));
      // What the tables prove without it: docker-proxy's IPv6 listeners stand beside IPv4 ones.
      const proxied = listeners.filter(
        ({ address, port, proto }) => address === '::' && port === 8080 && proto === 'tcp',
      );
      assert.ok(proxied.every(({ v6only }) => v6only === true));
    });

    test('a connection that holds a wanted port is told, with its process', async () => {
      const client = await lab.spawnInHost([process.execPath, '-e', connector(lab.addresses.host)]);
      const [data] = (await once(client.child.stdout!, 'data')) as [Buffer];
      const port = Number(data.toString());
      const { listeners, holding } = await probe.read<SocketsReading>({ reader: 'sockets', wanted: [port] });
      assert.equal(
        listeners.find(socket => socket.port === port),
        undefined,
      );
      const own = holding.filter(({ state }) => state === 'ESTAB');
      assert.deepEqual(
        own.map(socket => [socket.port, socket.processes?.[0]?.pid]),
        [[port, client.pid]],
      );
      await client.kill('SIGKILL');
      await client.exited;
    });

    test('every docker-proxy is found, by its sockets and among all processes', async () => {
      const { listeners } = await probe.read<SocketsReading>({ reader: 'sockets' });
      const pids = [...new Set(listeners.flatMap(({ processes }) => processes ?? []).map(({ pid }) => pid))];
      const bySockets = await probe.read<ProcessesReading>({ reader: 'processes', pids });
      const bySearch = await probe.read<ProcessesReading>({ reader: 'processes', pids: [], searchProxies: true });
      assert.deepEqual(sorted(bySockets), sorted(bySearch));
      const expected = (await lab.inHost(['pgrep', '-c', 'docker-proxy'])).stdout.trim();
      assert.equal(String(bySockets.proxies.length), expected);
      const plain = await lab.inspect('plain');
      const web = bySockets.proxies.filter(({ hostPort }) => hostPort === 8080);
      assert.ok(web.length > 0);
      for (const proxy of web) {
        assert.equal(proxy.containerIp, plain.NetworkSettings.Networks['bridge']!.IPAddress);
        assert.equal(proxy.containerPort, 80);
      }
      const host = await lab.inspect('host');
      assert.equal(bySockets.processes[host.State.Pid]?.containerId, host.Id);
    });

    for (const name of ['plain', 'two', 'v6', 'mac', 'none', 'joined', 'hostsys', 'nosys', 'fifo', 'busy']) {
      test(`inside ${name} is what ip, ss and its PID namespace show there`, async () => {
        const { Id: containerId, State } = await lab.inspect(name);
        const request: Request = { reader: 'inside', containerId, pid: State.Pid };
        const quick = await probe.read<InsideReading>(request);
        const full = await probe.read<InsideReading>({ ...request, detail: true });
        const shown = JSON.parse(await witness(name, 'ip', '-j', '-d', 'addr')) as IpLink[];
        assert.deepEqual(interfaces(quick), fromIp(shown));
        assert.deepEqual(interfaces(full), fromIp(shown));
        const lines = (await witness(name, 'ss', '-H', '-tuln')).trim().split('\n').filter(Boolean);
        assert.deepEqual(full.listeners?.map(asSs).sort(), lines.map(ssKey).sort());
        assert.deepEqual(
          quick.listeners?.map(({ inode }) => inode),
          full.listeners?.map(({ inode }) => inode),
        );
        const named = await probe.read<InsideReading>({ ...request, exact: true, openers: true });
        assert.deepEqual([named.listeners, named.processes], [full.listeners, undefined]);
        const pids = (await lab.inHost(['sh', '-c', sharers, String(State.Pid)])).stdout.trim().split('\n').map(Number);
        assert.deepEqual(
          full.processes?.map(({ pid }) => pid),
          pids.sort((x, y) => x - y),
        );
        const served = full.listeners?.filter(({ port }) => port === 80) ?? [];
        if (name !== 'joined') for (const { processes } of served) assert.equal(processes?.[0]?.name, 'httpd');
        const link = (await lab.inHost(['readlink', `/proc/${State.Pid}/ns/net`])).stdout.trim();
        assert.equal(`net:[${full.netns}]`, link);
        assert.notEqual(full.netns, await probe.read<number>({ reader: 'netns' }));
      });
    }

    test('of a host-mode container only its processes are inside', async () => {
      const { Id: containerId, State } = await lab.inspect('host');
      const reading = await probe.read<InsideReading>({ reader: 'inside', containerId, pid: State.Pid, detail: true });
      assert.equal(reading.netns, await probe.read<number>({ reader: 'netns' }));
      assert.equal(reading.interfaces, undefined);
      assert.equal(reading.listenersReason, "it is in the host's netns");
      assert.deepEqual(
        reading.processes?.map(({ pid }) => pid),
        [State.Pid],
      );
    });

    test('whether a listener takes IPv4 is asked once for each socket', async () => {
      const { Id: containerId, State } = await lab.inspect('two');
      const request: Request = { reader: 'inside', containerId, pid: State.Pid, exact: true };
      const first = await probe.ask(request);
      assert.equal(first.ran.length, 1);
      const again = await probe.ask({ ...request, remember: true });
      assert.deepEqual(again.ran, []);
      assert.deepEqual(takesOnlyV6(again), takesOnlyV6(first));
    });

    test('a container that stopped, and another one’s pid, are told from the container', async () => {
      const plain = await lab.inspect('plain');
      const two = await lab.inspect('two');
      const mixed = await probe.ask({ reader: 'inside', containerId: two.Id, pid: plain.State.Pid });
      assert.equal(mixed.error?.code, 'gone');
      await lab.run('brief');
      const { Id: containerId, State } = await lab.inspect('brief');
      await lab.stop('brief');
      assert.equal((await probe.ask({ reader: 'inside', containerId, pid: State.Pid })).error?.code, 'gone');
      assert.equal((await probe.ask({ reader: 'inside', containerId, pid: 0 })).error?.code, 'gone');
    });

    test('a user without rights is told what it cannot see, and nothing false', async () => {
      const user = await start(nobody);
      try {
        const sockets = (await user.ask({ reader: 'sockets' })).outcome!;
        const { listeners, ownersReason } = sockets.value as SocketsReading;
        const exact = await probe.read<SocketsReading>({ reader: 'sockets' });
        assert.deepEqual(listeners.map(asSs).sort(), exact.listeners.map(asSs).sort());
        assert.ok(listeners.every(({ processes }) => processes === undefined));
        assert.equal(ownersReason, 'processes of other users need root');
        const { proxies } = (await user.ask({ reader: 'processes' })).outcome!.value as ProcessesReading;
        const all = await probe.read<ProcessesReading>({ reader: 'processes', searchProxies: true });
        assert.deepEqual(proxies, all.proxies);
        const { Id: containerId, State } = await lab.inspect('plain');
        const inside = await user.ask({ reader: 'inside', containerId, pid: State.Pid, detail: true });
        const value = inside.outcome!.value as InsideReading;
        assert.deepEqual(
          { interfaces: value.interfaces, reason: value.interfacesReason, netns: value.netns },
          { interfaces: undefined, reason: 'needs root (CAP_SYS_PTRACE)', netns: undefined },
        );
        assert.ok(value.listeners?.some(({ port, v6only }) => port === 80 && v6only === undefined));
        assert.deepEqual(inside.ran, []);
        assert.match(inside.outcome!.missing!, /whether :: listeners take IPv4: needs root/);
      } finally {
        await user.end();
      }
    });
  });
}

/** Prints the processes that share a PID namespace with one. */
const sharers =
  'for p in /proc/[0-9]*; do [ "$(readlink $p/ns/pid)" = "$(readlink /proc/$0/ns/pid)" ] && echo ${p#/proc/}; done';

/** A process that shares its listener with a child: prints port and child, then waits. */
const heir = `const server = require('net').createServer().listen(0, '0.0.0.0', () => {
  const child = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: ['ignore', 'ignore', 'ignore', server._handle] });
  console.log(JSON.stringify({ port: server.address().port, child: child.pid }));
});`;

/** A client of the listener on 8070, from a port that nobody listens on, which it prints. */
const connector = (address: string) =>
  `const socket = require('net').connect(8070, '${address}', () => console.log(socket.localPort)); setInterval(() => {}, 1e6);`;
