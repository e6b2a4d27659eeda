/** The live host against this machine: its files, its processes and programs made for the purpose. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { HostError, type DockerApi } from '../../source/host/host.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { findProgram, findTool, toolFolders, trustedPath } from '../../source/host/tools.ts';

const host = createLiveHost({ docker: {} as DockerApi });
const folder = mkdtempSync(join(tmpdir(), 'netdash-live-host-'));
const path = process.env['PATH'];

/** Tools of this test's own, found before any that the machine has. Each name is used by one test only, for paths are remembered. */
function tool(name: string, script: string): void {
  const file = join(folder, 'bin', name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

before(() => {
  mkdirSync(join(folder, 'bin'));
  process.env['PATH'] = `.:${join(folder, 'bin')}:${path}`;
});
after(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true });
});

const thrown = async (promise: Promise<unknown>): Promise<HostError> => {
  const error: unknown = await promise.then(
    () => assert.fail('did not throw'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HostError, String(error));
  assert.ok(!error.message.includes('\n'), error.message);
  return error;
};

test('tells who and where it is', () => {
  assert.equal(host.kind, 'live');
  assert.equal(host.name, hostname());
  assert.equal(host.uid, process.geteuid?.());
});

test('reads files of procfs as the shell does, also those longer than one read', async () => {
  assert.deepEqual(host.readFiles(['/proc/sys/kernel/osrelease', '/proc/self/comm']), [
    readFileSync('/proc/sys/kernel/osrelease', 'utf8'),
    readFileSync('/proc/self/comm', 'utf8'),
  ]);
  assert.deepEqual(host.readFiles([]), []);
  for (const size of [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1_000_000]) {
    const file = join(folder, 'sized');
    const text = 'äöü'.repeat(size / 6 + 1).slice(0, size);
    writeFileSync(file, text);
    assert.equal(host.readFiles([file])[0], text, `${size} bytes`);
    assert.equal(await host.readFile(file), text);
  }
});

test('names what it cannot read by code, in place and without throwing', async () => {
  const [absent, folder_, process_, inFile] = host.readFiles([
    '/proc/sys/no-such-setting',
    '/proc/sys',
    '/proc/999999999/stat',
    '/proc/sys/kernel/osrelease/x',
  ]);
  assert.ok(absent instanceof HostError && absent.code === 'missing');
  assert.equal(absent.message, '/proc/sys/no-such-setting: no such file');
  assert.ok(folder_ instanceof HostError && folder_.code === 'failed');
  assert.ok(process_ instanceof HostError && process_.code === 'gone');
  assert.ok(inFile instanceof HostError && inFile.code === 'missing');
  assert.equal((await thrown(host.readFile('/no/such/file'))).code, 'missing');
  assert.equal((await thrown(host.list('/proc/999999999/fd'))).code, 'gone');
});

test('does not wait for a writer of a FIFO', () => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  assert.deepEqual(host.readFiles([fifo]), ['']);
});

test('follows links and lists folders', async () => {
  symlinkSync('some/where', join(folder, 'link'));
  const [link, namespace, none] = host.readLinks([join(folder, 'link'), '/proc/self/ns/net', folder]);
  assert.equal(link, 'some/where');
  assert.equal(namespace, readlinkSync('/proc/self/ns/net'));
  assert.ok(none instanceof HostError && none.code === 'failed');
  assert.ok((await host.list('/proc')).includes(String(process.pid)));
});

test('looks for tools in absolute folders of PATH only, and in the sbin folders that an ordinary PATH lacks', async () => {
  assert.deepEqual(toolFolders('.::/opt/x/bin:bin:/usr/bin'), [
    '/opt/x/bin',
    '/usr/bin',
    '/usr/sbin',
    '/sbin',
    '/usr/local/sbin',
    '/bin',
  ]);
  assert.throws(() => findTool('ss', [folder]), {
    name: 'HostError',
    code: 'missing',
    message: 'ss not found: install iproute2',
  });
  // Neither a folder of that name nor a file that may not be run is the tool.
  mkdirSync(join(folder, 'ip'));
  writeFileSync(join(folder, 'nft'), '');
  assert.throws(() => findTool('ip', [folder]), { code: 'missing' });
  assert.throws(() => findTool('nft', [folder]), { code: 'missing', message: 'nft not found: install nftables' });
});

test('passes over a program that others can put there or change, as by a link, a group or a folder further up', () => {
  const open = join(folder, 'open');
  const inner = join(open, 'bin');
  mkdirSync(inner, { recursive: true });
  const program = join(inner, 'ssh');
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
  const find = () => findProgram('ssh', 'openssh-client', [inner]);
  const refused = {
    code: 'missing',
    message: `ssh not found: install openssh-client (${program}: passed over, since others may change it)`,
  };
  for (const [place, mode] of [
    [program, 0o757],
    [inner, 0o777],
    [open, 0o777],
    [open, 0o707],
  ] as const) {
    chmodSync(place, mode);
    assert.throws(find, refused, `${place} ${mode.toString(8)}`);
    chmodSync(place, 0o755);
  }
  if (process.geteuid?.() === 0) {
    for (const place of [program, inner, open]) {
      chownSync(place, 65534, 65534);
      assert.throws(find, refused, `${place} is another user's`);
      chownSync(place, 0, 65534);
      chmodSync(place, 0o775);
      assert.throws(find, refused, `${place} is open to a group`);
      chownSync(place, 0, 0);
      chmodSync(place, 0o755);
    }
  }
  // What it is a link to counts as well.
  const target = join(folder, 'target');
  writeFileSync(target, '#!/bin/sh\n', { mode: 0o757 });
  chmodSync(target, 0o757);
  rmSync(program);
  symlinkSync(target, program);
  assert.throws(find, refused);
  chmodSync(target, 0o755);
  assert.equal(find(), program);
  chmodSync(open, 0o777);
  assert.ok(!trustedPath(`${inner}:/usr/bin`).includes(inner));
});

test('gives a tool its arguments unharmed, an English locale, no input, and takes its status as a result', async () => {
  tool('iptables-save', 'printf "%s|" "$@"; printf %s "$LC_ALL"; cat; echo oops >&2; exit 4');
  const { raw, ...rest } = await host.run('iptables-save', ['-c', 'a b', '$(id)', '']);
  assert.deepEqual(rest, { code: 4, signal: null, stdout: '-c|a b|$(id)||C', stderr: 'oops\n' });
  assert.equal(Buffer.from(raw ?? []).toString(), rest.stdout);
});

test('takes a crash of a tool as a result', async () => {
  tool('nft', 'kill -SEGV $$');
  const { raw: _, ...rest } = await host.run('nft', []);
  assert.deepEqual(rest, { code: null, signal: 'SIGSEGV', stdout: '', stderr: '' });
});

test('ends a tool that takes too long', async () => {
  const marker = join(folder, 'pid');
  tool('ip6tables-save', `echo $$ > ${marker}; exec sleep 60`);
  const error = await thrown(host.run('ip6tables-save', [], { timeoutMs: 1500 }));
  assert.equal(error.code, 'timeout');
  assert.equal(error.message, 'ip6tables-save did not end within 1.5 s');
  assert.equal(existsSync(`/proc/${readFileSync(marker, 'utf8').trim()}`), false);
});

test('refuses more output than it is ready to hold', async () => {
  tool('iptables-legacy-save', 'exec yes 0123456789012345678901234567890123456789');
  const error = await thrown(host.run('iptables-legacy-save', [], { timeoutMs: 60_000 }));
  assert.equal(error.code, 'too-large');
});

test('says when a tool may not be started', async () => {
  tool('ip6tables-legacy-save', 'true');
  const file = findTool('ip6tables-legacy-save');
  writeFileSync(file, '#!/no/such/interpreter\n');
  const error = await thrown(host.run('ip6tables-legacy-save', []));
  assert.equal(error.code, 'missing');
});

test('follows a tool line by line until it is stopped, and leaves no child', async () => {
  tool('nsenter', 'echo $$; printf "two\\nthr"; sleep 0.1; echo ee; exec sleep 60');
  const lines: string[] = [];
  const third = new Promise<void>(resolve => {
    const subscription = host.follow('nsenter', [], line => {
      lines.push(line);
      if (lines.length === 3) {
        subscription.stop();
        subscription.stop();
        void subscription.ended.then(reason => {
          assert.equal(reason, undefined);
          resolve();
        });
      }
    });
  });
  await third;
  assert.deepEqual(lines.slice(1), ['two', 'three']);
  assert.equal(existsSync(`/proc/${lines[0]}`), false);
});

test('ends a followed tool that prints without end and without a line', async () => {
  // A real program, by a name that no other test has.
  tool('ipset', 'echo $$; echo whole; exec cat /dev/zero');
  const lines: string[] = [];
  const atFirst = process.memoryUsage().rss;
  const reason = await host.follow('ipset', [], line => lines.push(line)).ended;
  assert.equal(reason?.code, 'too-large');
  assert.match(reason.message, /^ipset printed a line of more than \d+ KiB$/);
  assert.deepEqual(lines.slice(1), ['whole']);
  assert.equal(existsSync(`/proc/${lines[0]}`), false);
  assert.ok(process.memoryUsage().rss - atFirst < 64 * 1024 * 1024);
});

test('says why a followed tool ended by itself, or could not begin', async () => {
  tool('ss', 'echo line; echo first >&2; echo "Permission denied" >&2; exit 2');
  const lines: string[] = [];
  let complaints = 0;
  const complained = (): void => void (complaints += 1);
  const reason = await host.follow('ss', ['-E'], line => lines.push(line), complained).ended;
  assert.deepEqual(lines, ['line']);
  assert.ok(complaints > 0, 'what it complains of may be that it has lost messages');
  assert.equal(reason?.code, 'failed');
  assert.equal(reason?.message, 'ss -E ended with status 2: Permission denied');
});
