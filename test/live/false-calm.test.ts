/**
 * No false calm: while netdash watches a host on which things are wrong, its sources are taken away one by one and in pairs. No
 * finding may go, none may come, and what was known must be known again afterwards.
 */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { SnapshotSchema, type NetdashEvent, type Snapshot } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { SocketProxy, type Treatment } from './socket-proxy.ts';
import { netdash, startWatch, type Watch } from './watching.ts';

const tools = ['ip', 'ss', 'nft', 'iptables-save', 'ip6tables-save'] as const;
type Tool = (typeof tools)[number];
const faults = { crashes: 'kill -SEGV $$', fails: 'echo no >&2; exit 1', 'says nothing': 'exit 0' } as const;
type Fault = keyof typeof faults;

/** Stand-ins for the tools: each is the real one until it is told otherwise, and notes that it was called. */
class Tools {
  readonly folder: string;

  constructor(lab: Lab) {
    this.folder = join(lab.dir, 'tools');
    mkdirSync(this.folder);
    writeFileSync(join(this.folder, 'calls'), '');
    for (const tool of tools) {
      const script = `#!/bin/sh
if [ -e ${this.folder}/${tool}.bad ]; then echo ${tool} >>${this.folder}/calls; . ${this.folder}/${tool}.bad; fi
PATH=${lab.env['PATH'] ?? ''}
exec ${tool} "$@"
`;
      writeFileSync(join(this.folder, tool), script);
      chmodSync(join(this.folder, tool), 0o755);
    }
  }

  break(tool: Tool, fault: Fault): void {
    writeFileSync(join(this.folder, `${tool}.bad`), `${faults[fault]}\n`);
  }

  mend(): void {
    for (const tool of tools) rmSync(join(this.folder, `${tool}.bad`), { force: true });
    writeFileSync(join(this.folder, 'calls'), '');
  }

  /** How often a tool was called since it is broken. */
  calls(tool: Tool): number {
    return readFileSync(join(this.folder, 'calls'), 'utf8')
      .split('\n')
      .filter(line => line === tool).length;
  }
}

/** Trouble of many kinds, each resting on other sources. */
async function makeTrouble(lab: Lab): Promise<void> {
  await lab.run('web', { publish: ['8080:80'] });
  await lab.run('shut', { publish: ['8081:80'] });
  await lab.run('dead', { publish: ['8082:81'] });
  await lab.run('ignored', { network: 'none', publish: ['8083:80'] });
  await lab.run('blip');
  await assert.rejects(lab.run('rival', { publish: ['8080:80'] }));
  await lab.listen({ address: '0.0.0.0', port: 8090 });
  await lab.create('pending', { publish: ['8090:80'] });
  const { IPAddress } = (await lab.inspect('shut')).NetworkSettings.Networks['bridge'] ?? assert.fail('no address');
  const { code } = await lab.inHost(['iptables', '-I', 'DOCKER-USER', '-d', IPAddress, '-j', 'DROP']);
  assert.equal(code, 0);
}

const expected = ['blocked', 'nothing-listening', 'port-conflict-failed', 'port-conflict-pending', 'ports-ignored'];

async function look(lab: Lab, path?: string): Promise<Snapshot> {
  const env = path === undefined ? {} : { PATH: `${path}:${lab.env['PATH'] ?? ''}` };
  const { stdout, stderr } = await lab.inHost(netdash('snapshot', '--json'), { cwd: process.cwd(), env });
  assert.notEqual(stdout, '', stderr);
  return v.parse(SnapshotSchema, JSON.parse(stdout));
}

const idsOf = (snapshot: Snapshot): string[] => snapshot.findings.map(({ id }) => id).sort();

/** The verdicts on all that is published, by question. */
async function verdicts(lab: Lab, path: string): Promise<Map<string, string>> {
  const env = { PATH: `${path}:${lab.env['PATH'] ?? ''}` };
  const command = netdash('explain', '8080', '8081', '8082', '--json');
  const { code, signal, stdout, stderr } = await lab.inHost(command, { cwd: process.cwd(), env });
  assert.notEqual(stdout, '', `${code} ${signal} ${stderr}`);
  const told = JSON.parse(stdout) as { verdicts: { from: unknown; to: unknown; verdict: string }[] };
  return new Map(told.verdicts.map(({ from, to, verdict }) => [JSON.stringify([from, to]), verdict]));
}

/** Makes netdash read everything again: a container ends and begins, a rule and a socket come and go. */
async function stir(lab: Lab): Promise<void> {
  await lab.restart('blip');
  // A rule that is about nobody.
  for (const how of ['-A', '-D'])
    await lab.inHost(['iptables', how, 'DOCKER-USER', '-s', '203.0.113.9', '-j', 'RETURN']);
  const listener = await lab.listen({ address: '127.0.0.1', port: 0 });
  await sleep(2500);
  await listener.close();
}

/** What is told from then on, but for the containers by which `startWatch` saw that it is awake. */
const sinceProbes = (watch: Watch, from: number): NetdashEvent[] =>
  watch.events.slice(from).filter(({ text }) => !text.startsWith('probe-'));

/** Findings that came or went from then on, but for those that netdash only now has seen twice; and containers that went. */
const told = (watch: Watch, from: number, known: readonly string[]): string[] =>
  sinceProbes(watch, from).flatMap(({ type, text, finding }) => {
    const isKnown = type === 'finding-raised' && known.includes(finding?.id ?? '');
    return /^finding-|^container-removed$/.test(type) && !isKnown ? [`${type} ${text}`] : [];
  });

labTest('tools that fail one by one and in pairs take no finding with them, and bring none', {}, async lab => {
  await makeTrouble(lab);
  const stand = new Tools(lab);
  // A port is called dead when it was long enough.
  let before = await look(lab, stand.folder);
  for (let turn = 0; !expected.every(code => before.findings.some(finding => finding.code === code)); turn += 1) {
    assert.ok(turn < 30, `only ${before.findings.map(({ code }) => code).join(', ')}`);
    await sleep(1000);
    before = await look(lab, stand.folder);
  }
  const watch = await startWatch(lab, { tools: stand.folder });
  try {
    const from = watch.events.length;
    const rounds: [Fault, ...Tool[]][] = [
      ['crashes', 'ip'],
      ['fails', 'ss', 'ip6tables-save'],
      ['fails', 'ip', 'iptables-save'],
      ['says nothing', 'ip', 'iptables-save'],
      ['crashes', 'ip', 'nft'],
    ];
    for (const [fault, ...broken] of rounds) {
      for (const tool of broken) stand.break(tool, fault);
      for (let turn = 0; !broken.some(tool => stand.calls(tool) > 0); turn += 1) {
        assert.ok(turn < 20, `${broken.join(', ')}: not called`);
        await stir(lab);
      }
      const what = `${broken.join(' and ')} ${fault}`;
      // One that begins now has only what is left.
      const less = await look(lab, stand.folder);
      const madeUp = idsOf(less).filter(id => !idsOf(before).includes(id));
      assert.deepEqual(madeUp, [], `made up while ${what}`);
      assert.deepEqual(told(watch, from, idsOf(before)), [], what);
      stand.mend();
    }
    await stir(lab);
    assert.deepEqual(told(watch, from, idsOf(before)), []);
    assert.deepEqual(idsOf(await look(lab, stand.folder)), idsOf(before));
    // It is awake all the same: what really ends is told.
    await lab.remove('rival');
    await watch.next(
      ({ type, finding }) => type === 'finding-cleared' && finding?.code === 'port-conflict-failed',
      from,
    );
  } finally {
    await watch.stop();
  }
});

labTest('a verdict turns into nothing but unknown when tools fail', {}, async lab => {
  await makeTrouble(lab);
  const stand = new Tools(lab);
  const before = await verdicts(lab, stand.folder);
  assert.ok(new Set(before.values()).size > 1, [...before.values()].join(' '));
  let unknown = 0;
  for (const broken of [['nft'], ['iptables-save'], ['ip'], ['ss'], ['ip', 'iptables-save'], ['ss', 'nft']] as const) {
    for (const tool of broken) stand.break(tool, 'crashes');
    for (const [question, verdict] of await verdicts(lab, stand.folder)) {
      if (verdict === 'unknown') unknown += 1;
      else if (before.has(question))
        assert.equal(verdict, before.get(question), `${question} without ${broken.join(' and ')}`);
    }
    stand.mend();
  }
  assert.ok(unknown > 3);
  assert.deepEqual(await verdicts(lab, stand.folder), before);
});

labTest('dockerd away while a tool fails: findings stay, and are judged again when both are back', {}, async lab => {
  await makeTrouble(lab);
  const stand = new Tools(lab);
  const watch = await startWatch(lab, { tools: stand.folder });
  try {
    const from = watch.events.length;
    await lab.daemon.freeze(true);
    stand.break('nft', 'crashes');
    stand.break('iptables-save', 'crashes');
    await watch.next(({ type }) => type === 'source-failed', from);
    await sleep(2000);
    const gone = sinceProbes(watch, from).filter(({ type }) =>
      /^(?:finding-cleared|container-(?:removed|died))$/.test(type),
    );
    assert.deepEqual(gone, []);
    stand.mend();
    await lab.daemon.freeze(false);
    await watch.next(({ type, text }) => type === 'source-recovered' && text.includes('docker'), from);
    await lab.remove('rival');
    await watch.next(
      ({ type, finding }) => type === 'finding-cleared' && finding?.code === 'port-conflict-failed',
      from,
    );
  } finally {
    await lab.daemon.freeze(false);
    await watch.stop();
  }
});

labTest('permission withdrawn while netdash watches: said, nothing made up, and taken up again', {}, async lab => {
  const nobody = 65_534;
  await lab.run('eph', { publish: ['80'] });
  const proxy = await SocketProxy.start(join(lab.dir, 'proxy.sock'), lab.socket);
  chmodSync(lab.dir, 0o755);
  chmodSync(proxy.path, 0o666);
  const state = join(lab.dir, 'state-nobody');
  mkdirSync(state);
  chownSync(state, nobody, nobody);
  const watch = await startWatch(lab, { docker: `unix://${proxy.path}`, user: nobody, state, env: { HOME: state } });
  try {
    // Events go on; whatever else is asked needs a connection that may not be opened any more.
    chmodSync(proxy.path, 0o600);
    proxy.treat = (path): Treatment => (path.includes('/events') ? 'pass' : 'cut');
    const from = watch.events.length;
    await lab.restart('eph');
    await watch.next(({ type, text }) => type === 'source-failed' && /docker.*permission denied/.test(text), from);
    const invented = /^(?:container-(?:created|removed)|port-changed|finding-)/;
    assert.deepEqual(
      sinceProbes(watch, from).filter(({ type }) => invented.test(type)),
      [],
    );
    chmodSync(proxy.path, 0o666);
    proxy.treat = () => 'pass';
    await watch.next(({ type, text }) => type === 'source-recovered' && text.includes('docker'), from);
    const moved = await watch.next(
      ({ type, containerName }) => type === 'port-changed' && containerName === 'eph',
      from,
    );
    const { Ports } = (await lab.inspect('eph')).NetworkSettings;
    assert.ok(moved.text.includes(Ports['80/tcp']?.[0]?.HostPort ?? '?'), moved.text);
  } finally {
    await watch.stop();
    await proxy.stop();
  }
});
