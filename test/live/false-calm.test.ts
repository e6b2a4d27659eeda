/**
 * No false calm: while netdash watches a host on which things are wrong, its sources are taken away one by one and in pairs. No
 * finding may go, none may come, and what was known must be known again afterwards.
 */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { SnapshotSchema, type NetdashEvent, type Snapshot } from '../../source/facts/schema.ts';
import { netdash as built } from '../e2e/netdash.ts';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { BrokenTools, toolFaults, tools, type BrokenTool, type ToolFault } from './broken-tools.ts';
import { calmer } from './calm.ts';
import { SocketProxy, type Treatment } from './socket-proxy.ts';
import { startWatch, type Watch } from './watching.ts';

/** `CALM=all`: every tool alone and with every other, in every way; half an hour and more. Else a few of each. */
const isThorough = process.env['CALM'] === 'all';
const pairs: BrokenTool[][] = tools.flatMap((one, at) => [[one], ...tools.slice(at + 1).map(other => [one, other])]);
const everything = toolFaults.flatMap(fault => pairs.map((broken): [ToolFault, ...BrokenTool[]] => [fault, ...broken]));

/** Trouble of many kinds, each resting on other sources. */
async function makeTrouble(lab: Lab): Promise<void> {
  await lab.run('web', { publish: ['8080:80'] });
  await lab.run('shut', { publish: ['8081:80'] });
  await lab.run('dead', { publish: ['8082:81'] });
  await lab.run('ignored', { network: 'none', publish: ['8083:80'] });
  // Rules in its netns are read, since it may write them.
  await lab.run('blip', { hostConfig: { CapAdd: ['NET_ADMIN'] } });
  await assert.rejects(lab.run('rival', { publish: ['8080:80'] }));
  await lab.listen({ address: '0.0.0.0', port: 8090 });
  await lab.create('pending', { publish: ['8090:80'] });
  const { IPAddress } = (await lab.inspect('shut')).NetworkSettings.Networks['bridge'] ?? assert.fail('no address');
  const { code } = await lab.inHost(['iptables', '-I', 'DOCKER-USER', '-d', IPAddress, '-j', 'DROP']);
  assert.equal(code, 0);
}

const expected = ['blocked', 'nothing-listening', 'port-conflict-failed', 'port-conflict-pending', 'ports-ignored'];

async function look(lab: Lab, stand: BrokenTools): Promise<Snapshot> {
  const { stdout, stderr } = await lab.inHost(stand.argv(built('snapshot', '--json')), { env: stand.env });
  assert.notEqual(stdout, '', stderr);
  return v.parse(SnapshotSchema, JSON.parse(stdout));
}

/** A look once all trouble has been found: a port is called dead when it was long enough. */
async function lookAtTrouble(lab: Lab, stand: BrokenTools): Promise<Snapshot> {
  for (let turn = 0; ; turn += 1) {
    const found = await look(lab, stand);
    if (expected.every(code => found.findings.some(finding => finding.code === code))) return found;
    assert.ok(turn < 30, `only ${found.findings.map(({ code }) => code).join(', ')}`);
    await sleep(1000);
  }
}

const idsOf = (snapshot: Snapshot): string[] => snapshot.findings.map(({ id }) => id).sort();

/** The verdicts on all that is published, by question. */
async function verdicts(lab: Lab, stand: BrokenTools): Promise<Map<string, string>> {
  const command = stand.argv(built('explain', '8080', '8081', '8082', '--json'));
  const { code, signal, stdout, stderr } = await lab.inHost(command, { env: stand.env });
  assert.notEqual(stdout, '', `${code} ${signal} ${stderr}`);
  const told = JSON.parse(stdout) as { verdicts: { from: unknown; to: unknown; verdict: string }[] };
  return new Map(told.verdicts.map(({ from, to, verdict }) => [JSON.stringify([from, to]), verdict]));
}

/** Makes netdash read everything again: a container ends and begins, a rule and a socket come and go. */
async function stir(lab: Lab): Promise<void> {
  await lab.restart('blip');
  // A rule that is about nobody.
  for (const how of ['-I', '-D'])
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

const watched: [ToolFault, ...BrokenTool[]][] = [
  ['missing', 'ss', 'nsenter'],
  ['is powerless', 'nft', 'iptables-save'],
  ['says nothing', 'ip', 'iptables-save'],
  ['hangs', 'ip'],
];

// Containers outlive a dockerd that is killed.
const liveRestore = { dockerdArgs: ['--live-restore'] };

labTest('sources that go while netdash watches take no finding with them, and bring none', liveRestore, async lab => {
  await makeTrouble(lab);
  const stand = await BrokenTools.on(lab);
  const before = await lookAtTrouble(lab, stand);
  const watch = await startWatch(lab, { tools: stand, preload: join(import.meta.dirname, 'drop-rights.mjs') });
  try {
    let from = watch.events.length;
    const isCalm = (what: string) => assert.deepEqual(told(watch, from, idsOf(before)), [], what);
    const next = (type: NetdashEvent['type'], source: string, since: number) =>
      watch.next(event => event.type === type && event.text.startsWith(source), since);

    for (const [fault, ...broken] of isThorough ? everything : watched) {
      for (const tool of broken) stand.break(tool, fault);
      const isUsed = () => fault === 'missing' || broken.some(tool => stand.calls(tool) > 0);
      for (let turn = 0; turn === 0 || !isUsed(); turn += 1) {
        assert.ok(turn < 20, `${broken.join(', ')}: not called`);
        await stir(lab);
      }
      if (isThorough) process.stderr.write(`${broken.join(' and ')} ${fault}\n`);
      isCalm(`${broken.join(' and ')} ${fault}`);
      stand.mend();
    }
    await stir(lab);
    isCalm('all is well again');

    // The running program loses what root may, and gets it back.
    let since = watch.events.length;
    await watch.signal('SIGUSR2');
    await stir(lab);
    await next('source-failed', 'netfilter', since);
    await stir(lab);
    isCalm('without rights');
    await watch.signal('SIGUSR2');
    await next('source-recovered', 'netfilter', since);

    // dockerd hangs or has gone, alone and while a tool fails.
    for (const broken of isThorough ? [[], ...tools.map(tool => [tool])] : [['nft', 'iptables-save'] as const]) {
      for (const how of isThorough ? ['frozen', 'killed'] : ['frozen']) {
        since = watch.events.length;
        for (const tool of broken) stand.break(tool, 'crashes');
        if (how === 'frozen') await lab.daemon.freeze(true);
        else await lab.daemon.stop('SIGKILL');
        await next('source-failed', 'docker', since);
        await sleep(2000);
        const what = `dockerd ${how}, ${broken.join(' and ')} broken`;
        if (isThorough) process.stderr.write(`${what}\n`);
        isCalm(what);
        stand.mend();
        if (how === 'frozen') await lab.daemon.freeze(false);
        else await lab.daemon.start();
        await next('source-recovered', 'docker', since);
        if (how === 'frozen') continue;
        // A dockerd that starts writes its rules anew, of which there is something to tell.
        await sleep(20_000);
        from = watch.events.length;
      }
    }
    await stir(lab);
    isCalm('all is well again');
    assert.deepEqual(idsOf(await look(lab, stand)), idsOf(before));
    // It is awake all the same: what really ends is told.
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

const looked: [ToolFault, ...BrokenTool[]][] = [
  ['crashes', 'ip', 'iptables-save'],
  ['missing', 'ss', 'nsenter'],
  ['says nothing', 'nsenter'],
  ['says nothing', 'ss'],
  ['is powerless', 'ss', 'nft'],
  ['stops half-way', 'ss', 'ip6tables-save'],
];

labTest('what begins with less says nothing that is not so, and why the rest is not known', {}, async lab => {
  await makeTrouble(lab);
  const stand = await BrokenTools.on(lab);
  const before = await lookAtTrouble(lab, stand);
  assert.deepEqual(calmer(before, await look(lab, stand)), []);
  const asked = await verdicts(lab, stand);
  assert.ok(new Set(asked.values()).size > 1, [...asked.values()].join(' '));
  let unknown = 0;
  for (const [fault, ...broken] of isThorough ? everything : looked) {
    for (const tool of broken) stand.break(tool, fault);
    const what = `${broken.join(' and ')} ${fault}`;
    const less = await look(lab, stand);
    assert.deepEqual(calmer(before, less), [], what);
    for (const [question, verdict] of await verdicts(lab, stand)) {
      if (verdict === 'unknown') unknown += 1;
      else if (asked.has(question)) assert.equal(verdict, asked.get(question), `${question} while ${what}`);
    }
    stand.mend();
  }
  assert.ok(unknown > 3);
  assert.deepEqual(calmer(before, await look(lab, stand)), []);

  // A check of a host where all is well, of which it could not see all, does not call it well.
  for (const name of ['shut', 'dead', 'ignored', 'blip', 'rival', 'pending']) await lab.remove(name);
  await lab.inHost(['iptables', '-F', 'DOCKER-USER']);
  const check = async (...args: string[]) => lab.inHost(stand.argv(built('doctor', ...args)), { env: stand.env });
  const well = await check();
  assert.equal(well.code, 0, well.stdout);
  assert.match((await check('--nagios')).stdout, /^NETDASH OK - no findings/);
  for (const [tool, fault, source] of [
    ['nft', 'missing', /^incomplete: netfilter: rules of native nftables tables: nft not found/m],
    ['ss', 'fails', /^incomplete: sockets: ss /m],
    ['nsenter', 'missing', /^incomplete: web: its listeners: /m],
  ] as const) {
    stand.break(tool, fault);
    const { code, stdout } = await check();
    assert.match(stdout, source);
    assert.equal(code, 3, stdout);
    const plugin = await check('--nagios');
    assert.match(plugin.stdout, /^NETDASH UNKNOWN - .*incomplete: /);
    assert.equal(plugin.code, 3);
    stand.mend();
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
