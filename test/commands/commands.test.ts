import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { DoctorSchema } from '../../source/commands/doctor-json.ts';
import { commands } from '../../source/commands/index.ts';
import { PortsSchema } from '../../source/commands/ports-json.ts';
import { SnapshotSchema } from '../../source/facts/schema.ts';
import { recordedHosts, replay, runNetdash } from './running.ts';

const nowhere = ['--host', 'unix:///nonexistent/docker.sock'];

for (const name of recordedHosts) {
  test(`what is printed of the recorded host ${name} is of the published form`, async () => {
    const snapshot = await runNetdash(['snapshot', '--json', ...replay(name)]);
    assert.equal(snapshot.stderr, '');
    assert.equal(snapshot.code, 0);
    assert.equal(snapshot.stdout.split('\n').length, 2, 'one line into a pipe');
    const { containers, findings } = v.parse(v.strictObject(SnapshotSchema.entries), JSON.parse(snapshot.stdout));
    assert.ok(containers.length > 20);
    assert.ok(containers.every(({ networkMode }) => networkMode !== 'custom'));

    const ports = await runNetdash(['ports', '--json', ...replay(name)]);
    assert.equal(ports.code, 0);
    const list = v.parse(v.strictObject(PortsSchema.entries), JSON.parse(ports.stdout)).ports;
    assert.ok(list.some(({ port, owner }) => port === 8080 && owner.containerName === 'web'));

    const doctor = await runNetdash(['doctor', '--json', ...replay(name)]);
    assert.equal(doctor.code, 1);
    const judged = v.parse(v.strictObject(DoctorSchema.entries), JSON.parse(doctor.stdout));
    assert.deepEqual(
      judged.findings.map(({ id }) => id),
      findings.map(({ id }) => id),
    );
  });
}

test('text has neither escape codes nor trailing blanks, and names every container', async () => {
  const { stdout: json } = await runNetdash(['snapshot', '--json', ...replay('28')]);
  const { containers } = JSON.parse(json) as v.InferOutput<typeof SnapshotSchema>;
  for (const command of ['snapshot', 'ports', 'doctor'] as const) {
    const { stdout } = await runNetdash([command, ...replay('28')]);
    assert.doesNotMatch(stdout, /\u001b|[^\S\n]\n/, command);
    if (command !== 'snapshot') continue;
    for (const { name } of containers) assert.match(stdout, new RegExp(`^${name} `, 'm'));
  }
});

test('without a terminal, netdash is snapshot', async () => {
  const bare = await runNetdash(replay('20'));
  assert.equal(bare.code, 0);
  assert.match(bare.stdout, /^CONTAINERS \(\d+\)$/m);
  const json = await runNetdash(['--json', ...replay('20')]);
  v.parse(SnapshotSchema, JSON.parse(json.stdout));
});

test('netdash NAME is the page of that container; by id and its beginning too', async () => {
  const byName = await runNetdash(['web', ...replay('26')]);
  assert.equal(byName.code, 0, byName.stderr);
  assert.match(byName.stdout, /^OVERVIEW$/m);
  assert.match(byName.stdout, /8080/);
  const { stdout } = await runNetdash(['snapshot', '--json', ...replay('26')]);
  const { containers } = JSON.parse(stdout) as v.InferOutput<typeof SnapshotSchema>;
  const { id } = containers.find(({ name }) => name === 'web')!;
  for (const target of [id, id.slice(0, 12)]) {
    assert.match((await runNetdash([target, ...replay('26')])).stdout, /^OVERVIEW$/m);
  }
});

test('bad usage ends with 2 and one line that says what is wrong', async () => {
  const cases: [string[], RegExp][] = [
    [['webb', ...replay('20')], /unknown command or container 'webb'; did you mean web/],
    [['snapshott', ...replay('20')], /unknown command or container 'snapshott'; did you mean snapshot\?/],
    [['explane', ...replay('20')], /unknown command or container 'explane'; did you mean explain\?/],
    [['explane', ...nowhere], /'explane' is no command/],
    [['explain', ...replay('20')], /explain what\?/],
    [['explain', 'webb:80', ...replay('20')], /no container 'webb'; did you mean web/],
    [['explain', '70000', ...replay('20')], /from 1 to 65535/],
    [['explain', '8080/icmp', ...replay('20')], /tcp or udp/],
    [['explain', '10.0.0.5', ...replay('20')], /give a port too/],
    [['explain', 'fd00::5', ...replay('20')], /\[fd00::5\]:PORT/],
    [['explain', '8080', '--from', 'mars', ...replay('20')], /--from mars: give loopback/],
    [['explain', '8080', '--from', 'lan:eth9', ...replay('20')], /no interface 'eth9'/],
    [['snapshot', '--from', 'lan'], /snapshot has no option --from/],
    [['snapshot', '--nagios'], /snapshot has no option --nagios/],
    [['snapshot', 'more'], /unexpected argument 'more'/],
    [['--bogus'], /--bogus/],
    [['watch', '--for', 'ever', ...replay('20')], /--for ever: not a number of seconds/],
    [
      ['watch', '--for', '-1'],
      /^netdash: --for needs a value; one that begins with a dash is written --for=-VALUE; see/,
    ],
    [['watch', '--for=-1', ...replay('20')], /--for -1: not a number of seconds/],
    [['snapshot', '-H', '-x'], /^netdash: --host needs a value; one that begins with a dash is written --host=-VALUE/],
    [['snapshot', '--replay'], /^netdash: Option '--replay <value>' argument missing; see/],
    [['snapshot', '--json=yes'], /^netdash: Option '--json' does not take an argument; see/],
    [['doctor', '--nagios', '--json', ...replay('20')], /--nagios prints .* give only one of them/],
    [['explain', '8080', '--for', '3', ...replay('20')], /--for goes with --watch/],
    [['explain', 'webb', '--watch', ...replay('20')], /no container 'webb'/],
    [['snapshot', '--exposed'], /snapshot has no option --exposed/],
    [['snapshot', '--replay', '/nonexistent/file'], /\/nonexistent\/file/],
    [['snapshot', '--replay', import.meta.filename], /is no JSON/],
    [['snapshot', '--demo', '--replay', 'x'], /give only one/],
    [['snapshot', '--demo', '--host', 'unix:///x'], /leave --host/],
    [['snapshot', '--host', 'gopher://x'], /gopher/],
    [['snapshot', '--host', 'unix:///x', '--context', 'y'], /give only one/],
  ];
  for (const [args, words] of cases) {
    const { code, stdout, stderr } = await runNetdash(args);
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, /^netdash: [^\n]+\n$/);
    assert.match(stderr, words);
  }
});

test('names that come from outside cannot reach the terminal with control characters', async () => {
  const { stderr } = await runNetdash(['\u001b]0;x\u0007web', ...replay('20')]);
  assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f]/);
});

test('--help says what each command and option does; --version the version', async () => {
  const main = await runNetdash(['--help']);
  assert.equal(main.code, 0);
  for (const name of Object.keys(commands)) {
    assert.match(main.stdout, new RegExp(`^  netdash ${name} `, 'm'));
    const own = await runNetdash([name, '--help']);
    assert.equal(own.code, 0);
    for (const option of commands[name]!.options) assert.match(own.stdout, new RegExp(`--${option}\\b`));
  }
  assert.deepEqual(await runNetdash(['--version']), { code: 0, stdout: 'netdash 9.9.9\n', stderr: '' });
});

test('doctor prints every finding with its evidence and how to see it by hand', async () => {
  const { stdout: json } = await runNetdash(['doctor', '--json', ...replay('28')]);
  const { findings } = JSON.parse(json) as v.InferOutput<typeof DoctorSchema>;
  const { code, stdout } = await runNetdash(['doctor', ...replay('28')]);
  assert.equal(code, 1);
  for (const { code: kind, message, evidence, confirm } of findings) {
    assert.ok(stdout.includes(kind));
    assert.ok(stdout.includes(message), message);
    for (const { text } of evidence) assert.ok(stdout.includes(text.split('\n')[0]!), text);
    if (confirm !== undefined) assert.ok(stdout.includes(confirm), confirm);
  }
});

test('doctor without Docker says what it could not judge and ends with 3', async () => {
  const { code, stdout } = await runNetdash(['doctor', ...nowhere]);
  assert.equal(code, 3);
  assert.match(stdout, /^not readable: docker: no Docker daemon/m);
  assert.match(stdout, /^not judged for want of that: .*port-conflict-failed/m);
  assert.doesNotMatch(stdout, /0 of 0/);
  assert.match(stdout, /Nothing could be judged|absent \(Docker does not answer\)\.$/m);
  const { stdout: json } = await runNetdash(['doctor', '--json', ...nowhere]);
  const { unjudged } = v.parse(DoctorSchema, JSON.parse(json));
  assert.ok(unjudged.codes.includes('port-conflict-failed'));
  assert.ok(unjudged.sources.some(({ name }) => name === 'docker'));
});

test('snapshot without Docker shows the rest and ends with 0', async () => {
  const { code, stdout } = await runNetdash(['snapshot', '--json', ...nowhere]);
  assert.equal(code, 0);
  const { host, sources } = v.parse(SnapshotSchema, JSON.parse(stdout));
  assert.equal(host.docker, null);
  assert.equal(host.containersTotal, null);
  assert.equal(sources['docker']?.state, 'failed');
  assert.equal(sources['sockets']?.state, 'ok');
});

test('doctor --nagios is one line with performance data, and exits as plugins do', async () => {
  const bad = await runNetdash(['doctor', '--nagios', ...replay('20')]);
  assert.equal(bad.code, 2);
  assert.match(
    bad.stdout,
    /^NETDASH CRITICAL - [^|\n]+ \| errors=\d+;;0;0 warnings=\d+;0;;0 infos=\d+;;;0 containers=\d+;;;0\n$/,
  );
  const blind = await runNetdash(['doctor', '--nagios', ...nowhere]);
  assert.equal(blind.code, 3);
  assert.match(blind.stdout, /^NETDASH UNKNOWN - docker cannot be read: [^\n]*containers=U;;;0\n$/);
});

test('a reader that goes away ends netdash in peace', () => {
  const cli = join(import.meta.dirname, '..', '..', 'cli.tsx');
  const script = 'set -o pipefail; "$0" --import tsx "$@" | head -c 1 >/dev/null; echo "$?"';
  const output = execFileSync('bash', ['-c', script, process.execPath, cli, 'snapshot', ...replay('28')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.equal(output, '0\n');
});

test('watch ends after the time given', async () => {
  const { code, stderr } = await runNetdash(['watch', '--json', '--for', '0.3', ...replay('20')]);
  assert.equal(code, 0);
  assert.equal(stderr, '');
});
