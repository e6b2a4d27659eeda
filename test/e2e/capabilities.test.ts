/** docs/privileges.md, row by row: netdash really runs so, and what it says is what root sees, or unknown with the reason. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import * as v from 'valibot';
import { SnapshotSchema, type Snapshot } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { calmer } from '../live/calm.ts';
import { bundle, netdash, takeSnapshot } from './netdash.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'privileges.md'), 'utf8');
const columns = ['docker', 'rules', 'veth', 'owners'] as const;
type Seen = Record<(typeof columns)[number], string>;
const rows = [
  ...page.matchAll(/^\| (.+?) +\| (yes|no|partly) +\| (yes|no|partly) +\| (yes|no|partly) +\| (yes|no|partly) +\|$/gm),
].map(([, as = '', docker = '', ruleSet = '', veth = '', owners = '']) => ({
  as,
  expected: { docker, rules: ruleSet, veth, owners },
}));

const groupDocker = 997;
const looking = netdash('snapshot', '--json');
const capabilitiesOf = (as: string): string[] => as.match(/\b[A-Z]+_[A-Z_]+\b/g) ?? [];

/** A user with exactly these capabilities. */
const asUser = (groups: string, capabilities: readonly string[]): string[] => {
  const only = ['-all', ...capabilities.map(name => `+${name.toLowerCase()}`)].join(',');
  return [
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    `--groups=${groups}`,
    `--inh-caps=${only}`,
    `--ambient-caps=${only}`,
    `--bounding-set=${only}`,
  ];
};

async function lookInContainer(lab: Lab, as: string, command = looking): Promise<string> {
  const own = as.includes("Docker's own");
  const { root, unpacked } = lab.bindable;
  const folders = [
    '/usr',
    '/lib',
    '/lib64',
    '/bin',
    '/sbin',
    '/etc/alternatives',
    dirname(process.execPath),
    dirname(bundle),
    ...(unpacked === undefined ? [] : [unpacked]),
  ];
  const caps = own ? {} : { CapDrop: ['ALL'], CapAdd: capabilitiesOf(as) };
  const hostConfig = {
    PidMode: 'host',
    Binds: [...new Set(folders)]
      .map(path => `${root}${path}:${path}:ro`)
      .concat(`${root}${lab.socket}:/var/run/docker.sock`),
    ...caps,
  };
  await lab.run('looker', { network: 'host', cmd: ['sleep', '1000'], hostConfig });
  try {
    const { code, stdout, stderr } = await lab.exec('looker', ['env', `PATH=${lab.env['PATH']}`, ...command]);
    if (command === looking) assert.equal(code, 0, stderr);
    return stdout;
  } finally {
    await lab.remove('looker');
  }
}

async function look(lab: Lab, as: string): Promise<Snapshot> {
  if (as === 'root') return takeSnapshot(lab);
  const env = { HOME: '/nonexistent', XDG_STATE_HOME: '' };
  const groups = as === 'a user' ? '65534' : String(groupDocker);
  const text = as.includes('in a container')
    ? await lookInContainer(lab, as)
    : (await lab.inHost([...asUser(groups, capabilitiesOf(as)), ...looking], { env })).stdout;
  return v.parse(SnapshotSchema, JSON.parse(text));
}

const level = (known: number, all: number): string => (known === all ? 'yes' : known === 0 ? 'no' : 'partly');
const placeOf = ({ proto, address, port }: { proto: string; address: string; port: number }) =>
  `${proto} ${address} ${port}`;

const texts = (snapshot: Snapshot): string[] | undefined =>
  snapshot.rules?.map(({ family, table, chain, text }) => `${family} ${table} ${chain} ${text}`);

/** How much is seen of what root sees; throws where it is something else, or missing without a reason. */
function compare(seen: Snapshot, root: Snapshot): Seen {
  const reasonOf = (name: string) => seen.sources[name]?.reason ?? assert.fail(`${name} does not say why`);
  if (seen.host.docker === null) assert.match(reasonOf('docker'), /use sudo or join the group docker/);
  let netfilter = 'yes';
  if (seen.rules === null) {
    netfilter = 'no';
    assert.match(reasonOf('netfilter'), /needs root \(CAP_NET_ADMIN\)/);
  } else {
    assert.deepEqual(texts(seen), texts(root));
    if (seen.sources['netfilter']?.state !== 'ok') {
      netfilter = 'partly';
      assert.match(reasonOf('netfilter'), /root only/);
    }
  }
  const veths = root.links.filter(({ containerId }) => containerId !== undefined);
  let linked = 0;
  for (const theirs of veths) {
    const ours = seen.links.find(({ veth }) => veth === theirs.veth) ?? assert.fail(`${theirs.veth} is missing`);
    if (ours.containerId === undefined) assert.ok(ours.unknown?.['containerId'], theirs.veth);
    else assert.equal(ours.containerId, theirs.containerId, theirs.veth);
    if (ours.containerId !== undefined) linked += 1;
  }
  let owned = 0;
  for (const theirs of root.listeners ?? []) {
    const ours =
      seen.listeners?.find(each => placeOf(each) === placeOf(theirs)) ?? assert.fail(`${placeOf(theirs)} is missing`);
    if (ours.pid === null)
      assert.match(
        ours.unknown?.['pid'] ?? '',
        /need (?:root|CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)/,
        placeOf(theirs),
      );
    else {
      owned += 1;
      assert.deepEqual([ours.pid, ours.process], [theirs.pid, theirs.process], placeOf(theirs));
    }
    if (ours.owner.kind === 'unknown') assert.ok(ours.owner.reason, placeOf(theirs));
    else if (seen.host.docker) assert.equal(ours.owner.containerName, theirs.owner.containerName, placeOf(theirs));
  }
  for (const { id, message } of seen.findings)
    assert.ok(
      root.findings.some(finding => finding.id === id),
      `root does not find ${message}`,
    );
  return {
    docker: seen.host.docker ? 'yes' : 'no',
    rules: netfilter,
    veth: level(linked, veths.length),
    owners: level(owned, root.listeners?.length ?? 0),
  };
}

/** What `doctor` says is the command to run. */
const advised = (stdout: string): string =>
  /^to see what rights are lacking for: (.+)$/m.exec(stdout)?.[1] ?? assert.fail(`no command in: ${stdout}`);

describeLab('rights', {}, lab => {
  before(async () => {
    await lab().networkCreate('app');
    await lab().run('web', { publish: ['8080:80'] });
    await lab().run('api', { network: 'app' });
    // Their namespaces are closed to whoever has fewer capabilities than they.
    for (const name of ['strong', 'stronger']) await lab().run(name, { hostConfig: { CapAdd: ['NET_ADMIN'] } });
    await lab().run('hosty', { network: 'host', cmd: ['httpd', '-f', '-p', '9099'] });
    await lab().spawnInHost([
      ...asUser('1234', []).map(word => word.replace('65534', '1234')),
      lab().busybox,
      'httpd',
      '-f',
      '-p',
      '7070',
    ]);
    await lab().listen({ address: '127.0.0.1', port: 7007 });
    for (const command of [
      ['chgrp', String(groupDocker), lab().socket],
      ['chmod', '660', lab().socket],
    ]) {
      const { code, stderr } = await lab().inHost(command);
      assert.equal(code, 0, stderr);
    }
  });

  test('the table is read', () => assert.equal(rows.length, 16));

  for (const as of ['a user', 'a user in the group docker']) {
    test(`doctor tells ${as} the command, which then shows all`, async () => {
      const groups = as === 'a user' ? '65534' : String(groupDocker);
      const env = { HOME: '/nonexistent', XDG_STATE_HOME: '' };
      const { stdout } = await lab().inHost([...asUser(groups, []), ...netdash('doctor')], { env });
      const command = advised(stdout);
      assert.equal(command, `sudo netdash doctor --host unix://${lab().socket}`);
      // As sudo would run it.
      const again = await lab().inHost(netdash(...command.split(' ').slice(2)));
      assert.doesNotMatch(again.stdout, /^(?:not readable|incomplete|not judged|to see)/m);
      const { stdout: panes } = await lab().inHost([...asUser(groups, []), ...netdash('snapshot')], { env });
      assert.match(panes, /FIREWALL[^]*To see it: sudo netdash --host/);
    });
  }

  test('doctor tells root in a container without capabilities the command, which then shows all', async () => {
    const told = await lookInContainer(lab(), 'without capabilities', netdash('doctor'));
    const command = advised(told);
    assert.match(
      command,
      /^docker run .*--net=host --pid=host --cap-drop ALL .*-v \S+:\/var\/run\/docker\.sock IMAGE netdash doctor$/,
    );
    const again = await lookInContainer(lab(), command.replaceAll('--cap-add ', ''), netdash('doctor'));
    assert.doesNotMatch(again, /^(?:not readable|incomplete|not judged|to see)/m);
  });

  for (const { as, expected } of rows) {
    test(as, async () => {
      const root = await takeSnapshot(lab());
      const seen = await look(lab(), as);
      const got = compare(seen, root);
      // It sees itself, and Docker's socket under another name.
      const isOfLooker = (line: string) =>
        as.includes('in a container') && /looker|^host\.(?:dockerEndpoint|containers)/.test(line);
      assert.deepEqual(
        calmer(root, seen).filter(line => !isOfLooker(line)),
        [],
      );
      for (const column of columns) {
        const allowed = expected[column] === 'partly' ? ['partly', 'no'] : [expected[column]];
        assert.ok(allowed.includes(got[column]), `${column}: ${got[column]}, the table says ${expected[column]}`);
      }
    });
  }
});
