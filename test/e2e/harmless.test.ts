/** netdash only looks: what it asks of Docker, and what it asks of the kernel, through a session in which everything is used. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { readDocker } from '../../source/host/docker.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { recordHost } from '../../source/host/recording/record-host.ts';
import { test } from 'node:test';
import { installed } from '../lab/binaries.ts';
import { labTest } from '../lab/for-tests.ts';
import { startDockerWitness } from './docker-witness.ts';
import { fullSession } from './full-session.ts';
import { summarise } from './trace.ts';

const secret = 'correct-horse-battery-staple';

/** Whether a program was run through a loader of its own. */
const isLoader = ({ args }: { args: string[] }): boolean => args[0] === '--library-path';

labTest('Docker is asked with GET and HEAD only, and no environment leaves it', {}, async lab => {
  const labels = { 'com.docker.compose.project': 'told-to-all' };
  await lab.run('web', { publish: ['8080:80'], env: [`PASSWORD=${secret}`], labels });
  const witness = await startDockerWitness(lab.socket, join(lab.dir, 'run', 'witness.sock'));
  let shown: string;
  try {
    shown = await fullSession(lab, 'web', { env: { DOCKER_HOST: `unix://${witness.socket}` } });
  } finally {
    await witness.close();
  }
  const methods = new Set(witness.asked.map(({ method }) => method));
  assert.deepEqual(
    [...methods].filter(method => method !== 'GET' && method !== 'HEAD'),
    [],
  );
  assert.equal(
    witness.asked.find(({ bytes }) => bytes > 0),
    undefined,
  );
  const paths = new Set(witness.asked.map(({ path }) => path.split('?')[0]!.replace(/[0-9a-f]{64}/, 'ID')));
  assert.deepEqual([...paths].sort(), [
    '/containers/ID/json',
    '/containers/json',
    '/events',
    '/info',
    '/networks',
    '/version',
  ]);

  assert.match(JSON.stringify(await lab.inspect('web')), new RegExp(secret), 'Docker itself tells it');
  assert.match(shown, /told-to-all/);
  assert.ok(!shown.includes(secret), 'it is on the screen or in what a command printed');
  const state = join(lab.dir, 'state', 'netdash');
  for (const name of await readdir(state))
    assert.ok(!(await readFile(join(state, name), 'utf8')).includes(secret), name);
  // What netdash holds, and what a recording of it holds.
  const docker = connectDocker(resolveEndpoint({ flag: `unix://${lab.socket}`, env: {} }));
  const recorder = recordHost(createLiveHost({ docker }), { version: 'test' });
  const readings = JSON.stringify(await readDocker(recorder.host));
  assert.ok(readings.includes('told-to-all') && !readings.includes(secret));
  const recorded = JSON.stringify(recorder.recording());
  assert.ok(recorded.includes('told-to-all') && !recorded.includes(secret));
});

const tracer = installed('strace');
const isTerminal = (path: string): boolean => /^\/dev\/(?:pts\/\d+|tty|null)$/.test(path);

/** Everything that may be run: fixed words, and numbers of processes and ports. */
const commandLines = [
  /^ip monitor link address route rule$/,
  /^(?:nsenter -t \d+ -n \/\S+\/)?ip -j -d addr$/,
  /^ip -j route show table all$/,
  /^ip -j -[46] rule$/,
  /^(?:nsenter -t \d+ -n \/\S+\/)?ss -H -tulnp?e?$/,
  /^ss -H -tunape \( sport = :\d+(?: or sport = :\d+)* \)$/,
  /^nft monitor$/,
  /^(?:nsenter -t \d+ -n \/\S+\/)?nft -j list ruleset$/,
  /^(?:nsenter -t \d+ -n \/\S+\/)?ip6?tables(?:-legacy)?-save -c$/,
  /^(?:nsenter -t \d+ -n \/\S+\/)?ipset save$/,
];

/** Classes and names of system calls, as strace(1) has them. */
const calls =
  '%file,%network,%process,%signal,write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,splice,tee,fallocate,ftruncate,fchmod,fchown,fsetxattr,ioctl,setns,unshare,ptrace,process_vm_writev,bpf,init_module,finit_module,delete_module,kexec_load,reboot,sethostname,settimeofday,clock_settime,io_uring_setup,keyctl,add_key';

if (tracer === undefined) {
  const required = process.env['REQUIRE_LAB'] === '1';
  test('the kernel is asked to write nothing', { skip: required ? false : 'strace is not installed' }, () => {
    assert.fail('REQUIRE_LAB is set, and strace is not installed');
  });
} else {
  labTest('the kernel is asked to write nothing but the own state', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    // Into its netns goes whatever reads rules.
    await lab.run('vpn', { publish: ['8081:80'], hostConfig: { CapAdd: ['NET_ADMIN'] } });
    const folder = join(lab.dir, 'traces');
    const home = join(lab.dir, 'home');
    await mkdir(folder);
    await mkdir(home);
    const wrap = (name: string) => [
      tracer,
      '-f',
      '-yy',
      '-qq',
      '-s',
      '4096',
      '-e',
      `trace=${calls}`,
      '-o',
      join(folder, name),
    ];
    await fullSession(lab, 'web', { wrap, env: { HOME: home } });
    const trace = summarise(
      await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'utf8'))),
    );

    const state = join(lab.dir, 'state', 'netdash');
    const isOwn = (path: string) => path === state || path.startsWith(`${state}/`);
    const changed = trace.changed.flatMap(paths => paths.split(' -> '));
    assert.ok(changed.some(isOwn), 'it keeps its state');
    assert.deepEqual(
      changed.filter(path => !isOwn(path) && !isTerminal(path)),
      [],
    );
    const channels = ['pipe', 'UNIX-STREAM', 'anon_inode'];
    assert.deepEqual(
      trace.writtenTo.filter(path => !isOwn(path) && !isTerminal(path) && !channels.includes(path)),
      [],
    );
    assert.deepEqual(trace.connected, [`AF_UNIX ${lab.socket}`]);
    assert.deepEqual(
      trace.sockets.filter(family => !/^AF_UNIX$|^AF_NETLINK NETLINK_(?:ROUTE|NETFILTER|SOCK_DIAG)$/.test(family)),
      [],
    );
    assert.ok(trace.netlink.length > 5);
    assert.deepEqual(
      trace.netlink.filter(type => !/_GET[A-Z]*$|COMPAT_GET$| SOCK_DIAG_BY_FAMILY$/.test(type)),
      [],
    );
    assert.deepEqual(
      trace.ioctl.filter(
        request =>
          !/^(?:FIONBIO|SIOCG\w+|TCGETS2?|TIOCG\w+|SNDCTL_TMR_ST(?:OP|ART) or TCSETSW?|TCSETSW?)$/.test(request),
      ),
      [],
    );
    assert.deepEqual(
      trace.namespaces.filter(
        entered => !/^net:\[\d+\] CLONE_NEWNET$|^\/proc\/\d+\/ns\/net.* CLONE_NEWNET$/.test(entered),
      ),
      [],
    );
    assert.deepEqual([trace.signalled, trace.others], [[], []]);

    // Where the lab's tools are another distribution's, scripts of the lab run them through that one's loader, with more in the environment.
    const areScripts = trace.executed.some(isLoader);
    const tools = trace.executed.filter(run => run.path !== process.execPath && !isLoader(run));
    for (const { path, args, variables } of tools) {
      const line = [basename(path), ...args].join(' ');
      assert.ok(isAbsolute(path), line);
      assert.ok(
        commandLines.some(pattern => pattern.test(line)),
        line,
      );
      assert.ok(variables === 2 || areScripts, `${line}: LC_ALL and PATH are all that it gets`);
    }
    const names = new Set(tools.map(({ path }) => basename(path)));
    for (const name of ['ip', 'ss', 'nft', 'iptables-save', 'ip6tables-save'])
      assert.ok(names.has(name), `${name} was not run`);

    for (const name of ['nft', 'iptables-save', 'ip6tables-save']) {
      const entered = tools.some(({ args }) => args[0] === '-t' && basename(args[3] ?? '') === name);
      assert.ok(entered, `${name} was not run inside`);
    }

    assert.equal((await stat(state)).mode & 0o777, 0o700);
    for (const name of await readdir(state)) assert.equal((await stat(join(state, name))).mode & 0o777, 0o600, name);
  });
}
