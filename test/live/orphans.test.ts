/** What crashes and hand work leave behind on a real host: proxies, veths and bridges that are nobody's. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finding } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash, startWatch } from './watching.ts';

async function must(lab: Lab, ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const { code, stderr } = await lab.inHost(command.split(' '));
    assert.equal(code, 0, `${command}: ${stderr}`);
  }
}

async function doctor(lab: Lab): Promise<Finding[]> {
  const { stdout, stderr } = await lab.inHost(netdash('doctor', '--json'), { cwd: process.cwd() });
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { findings: Finding[] }).findings;
}

const named = async (lab: Lab, code: string): Promise<string[]> =>
  (await doctor(lab)).filter(finding => finding.code === code).map(({ subject }) => subject.name);

/** The command line of Docker's own program for a port, as dockerd starts it, for a container that is not there. */
async function proxyCommand(lab: Lab, hostPort: number, containerIp = '172.17.0.77'): Promise<string[]> {
  const { stdout } = await lab.inHost(['sh', '-c', 'tr "\\0" "\\n" </proc/$(pgrep -o docker-proxy)/cmdline']);
  const [program = ''] = stdout.split('\n');
  assert.match(program, /docker-proxy$/);
  const address = `-proto tcp -host-ip 0.0.0.0 -host-port ${hostPort} -container-ip ${containerIp} -container-port 80`;
  // It tells dockerd over its third descriptor that it listens, and closes that, whatever it is.
  const into = ['sh', '-c', 'exec 3>/dev/null; exec "$@"', 'sh', 'nsenter', '-t', String(lab.daemon.pid), '--mount'];
  return [...into, program, ...address.split(' ')];
}

const startProxy = async (lab: Lab, hostPort: number) =>
  lab.spawnInHost(await proxyCommand(lab, hostPort), { stdio: 'ignore' });

describe('what is left behind', { concurrency: true }, () => {
  labTest('a docker-proxy whose container is gone is found, and gone when it is killed', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    const watch = await startWatch(lab);
    try {
      const proxy = await startProxy(lab, 8077);
      const { finding } = await watch.next(
        ({ type, finding: found }) => type === 'finding-raised' && found?.code === 'stale-proxy',
      );
      assert.equal(finding?.subject.name, '0.0.0.0:8077/tcp');
      const { stdout } = await lab.inHost(['ss', '-H', '-tlnp', 'sport', '=', ':8077']);
      const [, pid] = /pid=(\d+)/.exec(stdout) ?? [];
      assert.match(finding.message, new RegExp(`pid ${pid}\\) holds .*8077/tcp for 172\\.17\\.0\\.77:80`));
      assert.deepEqual(await named(lab, 'stale-proxy'), ['0.0.0.0:8077/tcp']);
      await must(lab, `kill ${pid}`);
      await proxy.exited;
      await watch.next(({ type, finding: found }) => type === 'finding-cleared' && found?.code === 'stale-proxy');
      assert.deepEqual(await named(lab, 'stale-proxy'), []);
    } finally {
      await watch.stop();
    }
  });

  labTest('a docker-proxy that is about to end is not told by a single look', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    const proxy = await startProxy(lab, 8077);
    const pidOf = async (): Promise<string | undefined> =>
      /pid=(\d+)/.exec((await lab.inHost(['ss', '-H', '-tlnp', 'sport', '=', ':8077'])).stdout)?.[1];
    let pid: string | undefined;
    while (pid === undefined) pid = await pidOf();
    const log = join(lab.dir, 'debug.log');
    const look = lab.inHost(netdash('snapshot', '--json', '--debug-log', log), { cwd: process.cwd() });
    // It goes as soon as it has been read.
    const isRead = async (): Promise<boolean> =>
      (await readFile(log, 'utf8').catch(() => '')).split('\n').some(line => {
        const { source, ask, state } = JSON.parse(line === '' ? '{}' : line) as Record<string, unknown>;
        return source === 'processes' && ask === undefined && state === 'ok';
      });
    while (!(await isRead())) await sleep(10);
    await must(lab, `kill ${pid}`);
    await proxy.exited;
    const { findings } = JSON.parse((await look).stdout) as { findings: Finding[] };
    assert.deepEqual(
      findings.filter(({ code }) => code === 'stale-proxy').map(({ message }) => message),
      [],
    );
  });

  labTest('what another daemon on this host made is nobody’s orphan until that daemon is gone', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    // Stands in for a second dockerd with a bridge of its own, of which nothing but the name counts here.
    const program = join(lab.dir, 'dockerd');
    await must(lab, `cp -L /bin/sh ${program}`, 'ip link add br-0123456789ab type bridge');
    const dnat = '-t nat -A DOCKER -p tcp --dport 8077 -j DNAT --to-destination 10.200.0.2:80';
    await must(lab, `iptables ${dnat}`);
    const other = await lab.spawnInHost(
      [program, '-c', '"$@" & wait', 'dockerd', ...(await proxyCommand(lab, 8077, '10.200.0.2'))],
      { stdio: 'ignore' },
    );
    while ((await lab.inHost(['ss', '-H', '-tln', 'sport', '=', ':8077'])).stdout === '') await sleep(20);
    // Soon after the start of a container that asks for the same port, no rule is an orphan.
    await sleep(6000);
    const codes = new Set(['stale-proxy', 'orphan-rule', 'orphan-link']);
    const found = async (): Promise<string[]> =>
      (await doctor(lab)).map(({ code }) => code).filter(code => codes.has(code));
    assert.deepEqual(await found(), []);
    await other.kill('SIGKILL');
    await other.exited;
    assert.deepEqual(new Set(await found()), codes);
  });

  labTest('a veth on docker0 and a bridge that are nobody’s are found; the links of others are not', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    const watch = await startWatch(lab);
    try {
      await must(
        lab,
        'ip netns add ghost',
        'ip link add vethabc1234 type veth peer name eth0 netns ghost',
        'ip link set vethabc1234 master docker0 up',
        'ip link add br-00112233aabb type bridge',
        // Somebody else's: a virtual machine's port of docker0, a bridge of another kind.
        'ip netns add other',
        'ip link add tapvm type veth peer name eth0 netns other',
        'ip link set tapvm master docker0 up',
        'ip link add virbr0 type bridge',
      );
      const raised = (name: string) =>
        watch.next(
          ({ type, finding }) =>
            type === 'finding-raised' && finding?.code === 'orphan-link' && finding.subject.name === name,
        );
      // They are looked at again only when something of the links changes, or in 40 s.
      const end = new AbortController();
      const stirring = (async () => {
        for (let round = 0; !end.signal.aborted; round += 1) {
          await must(lab, `ip link set dev lo alias round${round}`);
          await sleep(3000);
        }
      })();
      try {
        await raised('vethabc1234');
        await raised('br-00112233aabb');
      } finally {
        end.abort();
        await stirring;
      }
      const orphans = ['br-00112233aabb', 'vethabc1234'];
      assert.deepEqual((await named(lab, 'orphan-link')).sort(), orphans);
      await must(lab, 'ip netns delete ghost', 'ip link delete br-00112233aabb');
      for (const name of orphans) {
        await watch.next(({ type, finding }) => type === 'finding-cleared' && finding?.subject.name === name);
      }
      const codes = watch.of('finding-raised').map(({ finding }) => `${finding?.code} ${finding?.subject.name}`);
      assert.deepEqual(
        codes.sort(),
        orphans.map(name => `orphan-link ${name}`),
      );
    } finally {
      await watch.stop();
    }
  });

  labTest('doctor says on a terminal why it waits, and only there', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    await must(
      lab,
      'ip netns add ghost',
      'ip link add vethabc1234 type veth peer name eth0 netns ghost',
      'ip link set vethabc1234 master docker0 up',
    );
    const said = async (command: string): Promise<string> => {
      const { stdout, stderr } = await lab.inHost(['sh', '-c', command], { cwd: process.cwd() });
      return (stdout + stderr).trim();
    };
    const line = netdash('doctor').join(' ');
    const [onTerminal, inPipe] = await Promise.all([
      said(`script -qec '${line} >/dev/null' /dev/null`),
      said(`${line} >/dev/null`),
    ]);
    assert.match(onTerminal, /^netdash: waiting up to 1[45] s to see whether vethabc1234 is left over or just going$/);
    assert.equal(inPipe, '');
  });

  labTest('what a failed start is just leaving behind is nobody’s orphan', {}, async lab => {
    await lab.run('holder', { publish: ['8051:80'] });
    for (const name of ['one', 'two', 'three']) {
      await assert.rejects(lab.run(name, { publish: ['8051:80'] }));
      const findings = await doctor(lab);
      assert.deepEqual(
        findings.filter(({ code }) => code === 'orphan-link').map(({ message }) => message),
        [],
      );
      assert.ok(findings.some(({ code, subject }) => code === 'port-conflict-failed' && subject.name === name));
    }
  });

  labTest(
    'after everything was killed and dockerd came back, doctor names just the veths that stayed',
    {},
    async lab => {
      for (const name of ['one', 'two']) await lab.run(name, { publish: ['80'] });
      const pids = await Promise.all(['one', 'two'].map(async name => (await lab.inspect(name)).State.Pid));
      await lab.daemon.stop('SIGKILL');
      const { stdout: containerd } = await lab.inHost(['pgrep', '-x', 'containerd.*']);
      await must(lab, `kill -KILL ${[...containerd.trim().split(/\s+/), ...pids].join(' ')}`);
      const stayed = async (): Promise<string[]> => {
        const { stdout } = await lab.inHost('ip -j link show type veth master docker0'.split(' '));
        return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname).sort();
      };
      await lab.daemon.start();
      for (const name of ['one', 'two']) assert.equal((await lab.inspect(name)).State.Running, false);
      assert.deepEqual((await named(lab, 'orphan-link')).sort(), await stayed());
      assert.deepEqual(await named(lab, 'stale-proxy'), []);
      assert.deepEqual(await named(lab, 'link-missing'), []);
    },
  );
});
