import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { ExplainSchema } from '../../source/commands/explain-json.ts';
import { recordedHosts, replay, runNetdash } from './running.ts';

async function explain(...args: string[]) {
  const { code, stdout, stderr } = await runNetdash(['explain', '--json', ...args]);
  assert.equal(code, 0, stderr);
  return v.parse(v.strictObject(ExplainSchema.entries), JSON.parse(stdout)).verdicts;
}

for (const name of recordedHosts) {
  test(`several targets are answered from one reading, in the published form (recorded host ${name})`, async () => {
    const verdicts = await explain('8080', 'fw', '172.17.0.2:80', '8099/udp', ...replay(name));
    assert.deepEqual([...new Set(verdicts.map(({ target }) => target))], ['8080', 'fw', '172.17.0.2:80', '8099/udp']);
    for (const kind of ['loopback', 'lan'])
      assert.ok(verdicts.some(({ from, target }) => from.kind === kind && target === '8080'));
    for (const { verdict, decidedBy, path } of verdicts) {
      assert.ok(path.length > 0);
      if (verdict !== 'reachable') assert.ok(decidedBy, 'a verdict other than reachable says what decided it');
      if (verdict === 'reachable') assert.ok(path.every(({ ok }) => ok));
    }
  });
}

test('the rule that blocks is named, in JSON and in text', async () => {
  const [verdict, more] = await explain('fw', '--from', 'lan:eth0', ...replay('20')).then(all =>
    all.filter(({ to }) => to.address === '10.20.30.100'),
  );
  assert.equal(more, undefined);
  assert.equal(verdict?.verdict, 'blocked');
  assert.deepEqual(
    [verdict.decidedBy?.table, verdict.decidedBy?.chain, verdict.decidedBy?.rule],
    ['filter', 'DOCKER-USER', 1],
  );
  const { stdout } = await runNetdash(['explain', 'fw', '--from', 'lan:eth0', ...replay('20')]);
  assert.match(stdout, /^✗ blocked {2}from the LAN of eth0 to 10\.20\.30\.100:8091\/tcp$/m);
  assert.match(stdout, /^ {4}✗ FORWARD: ip filter DOCKER-USER rule 1: /m);
  assert.match(stdout, /^ {4}See it without netdash: iptables -t filter -nvL DOCKER-USER --line-numbers$/m);
  assert.doesNotMatch(stdout, /\u001b/);
});

test('a port on loopback is local-only for the LAN', async () => {
  const verdicts = await explain('8084', '--from', 'lan', ...replay('28'));
  assert.ok(verdicts.length > 0);
  assert.ok(verdicts.every(({ verdict }) => verdict === 'local-only'));
});

test('containers on different networks are apart, and the rule that keeps them so is told', async () => {
  const [verdict] = await explain('web:80', '--from', 'container:app1', ...replay('20'));
  assert.equal(verdict?.verdict, 'blocked');
  assert.equal(verdict.from.kind, 'container');
  assert.equal(verdict.decidedBy?.author, 'docker');
});

async function refusal(name: string): Promise<string> {
  const { code, stderr } = await runNetdash(['explain', '8080', '--from', `lan:${name}`, ...replay('20')]);
  assert.equal(code, 2);
  return stderr;
}

test('an interface that does not lead off this host is no place to ask from, and why is said', async () => {
  assert.match(
    await refusal('docker0'),
    /no interface 'docker0' leads off this host \(.*bridge.* bridge\); there is eth0/,
  );
  assert.match(
    await refusal('lo'),
    /no interface 'lo' leads off this host \(lo is this host's loopback\); there is eth0/,
  );
  assert.match(await refusal('eth9'), /no interface 'eth9' leads off this host; there is eth0/);
});

test('without rules it ends with 3 when something stays unknown', async () => {
  const { code, stdout } = await runNetdash(['explain', '22', '--host', 'unix:///nonexistent/docker.sock']);
  assert.ok(code === 0 || code === 3);
  assert.match(stdout, /^22$/m);
  if (/^\? unknown/m.test(stdout)) assert.equal(code, 3);
});
