/** Rules that a container with NET_ADMIN has in its own netns, against what really answers. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readdir, readFile, mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import * as v from 'valibot';
import { ExplainSchema } from '../../source/commands/explain-json.ts';
import { installed } from '../lab/binaries.ts';
import { describeLab } from '../lab/for-tests.ts';
import { netdash } from './netdash.ts';
import { summarise } from './trace.ts';

describeLab('rules inside a container', {}, lab => {
  const verdictOf = async (port: number, ...args: string[]) => {
    const { code, stdout, stderr } = await lab().inHost(netdash('explain', '--json', String(port), ...args));
    assert.equal(code, 0, stderr);
    const { verdicts } = v.parse(ExplainSchema, JSON.parse(stdout));
    return verdicts.find(({ to }) => !to.address.includes(':'));
  };
  const answers = async (port: number) => (await lab().fetchFrom('lan', lab().addresses.host, port)) !== undefined;
  const inside = async (name: string, ...rule: string[]) => {
    const { State } = await lab().inspect(name);
    const { code, stderr } = await lab().inHost(['nsenter', '-t', String(State.Pid), '-n', 'iptables', ...rule]);
    assert.equal(code, 0, stderr);
  };
  const agree = async (port: number, isOpen: boolean, what: string) => {
    assert.equal(await answers(port), isOpen, `${what}: what answers`);
    const verdict = await verdictOf(port, '--from', 'lan');
    assert.equal(verdict?.verdict, isOpen ? 'reachable' : 'blocked', `${what}: ${verdict?.decidedBy?.detail}`);
    return verdict?.decidedBy;
  };

  test('are seen wherever one of its containers may write them, and looked for nowhere else', async t => {
    const netAdmin = { CapAdd: ['NET_ADMIN'] };
    await lab().run('in-own', { publish: ['18180:80'], hostConfig: netAdmin });
    await lab().run('in-shared', { publish: ['18181:80'] });
    await lab().run('in-vpn', {
      network: 'container:in-shared',
      cmd: ['sleep', '1d'],
      hostConfig: netAdmin,
    });
    await lab().run('in-plain', { publish: ['18182:80'] });
    for (const [name, port] of [
      ['in-own', 18180],
      ['in-shared', 18181],
    ] as const) {
      await agree(port, true, `${name} without rules`);
      await inside(name, '-A', 'INPUT', '-i', 'tun0', '-j', 'ACCEPT');
      await agree(port, true, `${name} with an unrelated rule`);
      await inside(name, '-A', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'DROP');
      const rule = await agree(port, false, `${name} with a rule for the port`);
      assert.equal(rule?.inside, name);
      assert.match(rule.text ?? '', /--dport 80 -j DROP/);
      await inside(name, '-F');
      await inside(name, '-P', 'INPUT', 'DROP');
      assert.equal((await agree(port, false, `${name} with a policy`))?.kind, 'policy');
      await inside(name, '-A', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'ACCEPT');
      await inside(name, '-P', 'OUTPUT', 'DROP');
      await agree(port, false, `${name}, which may not answer`);
      await inside(name, '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'ESTABLISHED', '-j', 'ACCEPT');
      await agree(port, true, `${name}, which may answer`);
    }
    await agree(18182, true, 'a container without rights');

    // In no netns of which nobody in there may change them is anything run for them.
    const strace = installed('strace');
    if (strace === undefined) return t.diagnostic('strace is not installed');
    const folder = join(lab().dir, 'inside-traces');
    await mkdir(folder);
    const wrap = [strace, '-f', '-qq', '-s', '4096', '-e', 'trace=execve', '-o', join(folder, 'trace')];
    const { code, stderr } = await lab().inHost([...wrap, ...netdash('snapshot', '--json')]);
    assert.equal(code, 0, stderr);
    const texts = await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'utf8')));
    const entered = summarise(texts)
      .executed.map(({ args }) => args.join(' '))
      .filter(line => /^-t \d+ -n \S+(?:-save|nft)/.test(line));
    const pidOf = async (name: string) => String((await lab().inspect(name)).State.Pid);
    const pids = new Set(entered.map(line => line.split(' ')[1]));
    assert.deepEqual(pids, new Set([await pidOf('in-own'), await pidOf('in-shared')]));
  });
});
