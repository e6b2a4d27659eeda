import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { HostError, type Host, type Tool, type ToolResult } from '../../../source/host/host.ts';
import {
  areRulesTold,
  haveLegacyTablesChanged,
  haveRulesChanged,
  keepNetfilterAs,
  readNetfilter,
} from '../../../source/host/netfilter/netfilter.ts';
import { needsNetns, readIn, type Read } from './netns.ts';

const texts = (read: Read): string[] =>
  (read.value?.chains ?? []).flatMap(chain => chain.rules.map(rule => `${chain.backend} ${rule.text}`));

suite('rules in a netns', needsNetns(), () => {
  test('none at all is an answer', () => {
    const read = readIn('true');
    assert.deepEqual(read.value?.chains, []);
    assert.equal(read.missing, undefined);
  });

  test('without rights is a refusal, never an empty list', () => {
    const read = readIn('iptables-nft -A INPUT -s 192.0.2.1 -j DROP', {
      as: 'setpriv --reuid=65534 --regid=65534 --clear-groups',
    });
    assert.deepEqual(read, {
      error: { code: 'denied', message: 'reading netfilter rules needs root (CAP_NET_ADMIN)' },
    });
  });

  test('a rule of nft’s in a table of iptables is read by nft, since iptables-save drops its sets', () => {
    const read = readIn(`
      iptables-nft -A FORWARD -s 192.0.2.1 -m conntrack --ctstate NEW -j DROP
      nft add rule ip filter FORWARD ip saddr '{ 10.0.0.0/8, 192.168.0.0/16 }' tcp dport '{ 80, 443 }' accept
      iptables-nft -A FORWARD -i eth0 -j DROP`);
    assert.equal(read.missing, undefined);
    const forward = read.value?.chains.find(chain => chain.name === 'FORWARD');
    assert.deepEqual(
      forward?.rules.map(rule => rule.text),
      [
        '-A FORWARD -s 192.0.2.1/32 -m conntrack --ctstate NEW -j DROP',
        'ip saddr { 10.0.0.0/8, 192.168.0.0/16 } tcp dport { 80, 443 } accept',
        '-A FORWARD -i eth0 -j DROP',
      ],
    );
    assert.deepEqual(forward?.rules[1]?.matches[0], {
      kind: 'saddr',
      negate: false,
      addresses: ['10.0.0.0/8', '192.168.0.0/16'],
    });
  });

  test('a table that iptables-save refuses is read by nft, and what of it stays unknown is said', () => {
    const read = readIn(`
      iptables-nft -A FORWARD -s 192.0.2.1 -m conntrack --ctstate NEW -j DROP
      iptables-nft -A FORWARD -s 192.0.2.2 -j DROP
      nft add rule ip filter FORWARD ct state new accept`);
    assert.match(read.missing ?? '', /arguments of 1 xtables rules/);
    const forward = read.value?.chains.filter(chain => chain.name === 'FORWARD') ?? [];
    assert.equal(forward.length, 1);
    assert.deepEqual(
      forward[0]?.rules.map(({ matches, target }) => [matches.map(match => match.kind), target.kind]),
      [
        [['saddr', 'unknown'], 'drop'],
        [['saddr'], 'drop'],
        [['ctstate'], 'accept'],
      ],
    );
  });

  test('a rule on which iptables-save breaks off costs no other rule', () => {
    const read = readIn(`
      iptables-nft -A FORWARD -s 192.0.2.1 -j DROP
      nft add rule ip filter FORWARD ip dscp 4 accept
      iptables-nft -A FORWARD -s 192.0.2.2 -j DROP
      iptables-nft -t mangle -A FORWARD -s 192.0.2.3 -j DROP`);
    assert.deepEqual(texts(read).filter(text => /192\.0\.2|dscp/.test(text)).length, 4);
    assert.deepEqual(
      read.value?.tools.map(({ tool, state }) => [tool, state]),
      [
        ['iptables-save', 'failed'],
        ['ip6tables-save', 'ok'],
        ['nft', 'ok'],
      ],
    );
    assert.equal(read.missing, undefined, 'nft has read what iptables-save could not');
  });

  test('chains of nft’s own beside those of iptables are kept', () => {
    const read = readIn(`
      iptables-nft -A FORWARD -s 192.0.2.1 -j DROP
      nft add chain ip filter mine '{ type filter hook forward priority 10; policy drop; }'
      nft add table inet fw
      nft add chain inet fw input '{ type filter hook input priority 0; policy drop; }'
      nft add rule inet fw input tcp dport 22 accept`);
    assert.equal(read.missing, undefined);
    const own = read.value?.chains.filter(chain => chain.backend === 'nft') ?? [];
    assert.deepEqual(
      own.map(({ family, table, name, hook, priority, policy }) => [family, table, name, hook, priority, policy]),
      [
        ['ip', 'filter', 'mine', 'forward', 10, 'drop'],
        ['inet', 'fw', 'input', 'input', 0, 'drop'],
      ],
    );
  });
});

test('legacy rules beside those of nft are both read', needsNetns('legacy'), () => {
  const read = readIn(`
    iptables-legacy -A FORWARD -s 192.0.2.1 -j DROP
    ip6tables-legacy -A FORWARD -s 2001:db8::1 -j DROP
    iptables-nft -A FORWARD -s 192.0.2.2 -j DROP`);
  assert.deepEqual(texts(read).sort(), [
    'iptables-legacy -A FORWARD -s 192.0.2.1/32 -j DROP',
    'iptables-legacy -A FORWARD -s 2001:db8::1/128 -j DROP',
    'iptables-nft -A FORWARD -s 192.0.2.2/32 -j DROP',
  ]);
  assert.deepEqual(
    read.value?.tools.map(({ tool }) => tool),
    ['iptables-save', 'ip6tables-save', 'iptables-legacy-save', 'ip6tables-legacy-save', 'nft'],
  );
});

type Answer = Partial<ToolResult> | HostError;

const refuse = (): never => {
  throw new HostError('missing', 'not scripted');
};

/** A host whose tools answer as told, one answer after the other: for ends that cannot be brought about here. */
function scripted(answers: Partial<Record<Tool, Answer[]>>, files: Record<string, string | HostError> = {}): Host {
  const asked: Partial<Record<Tool, number>> = {};
  return {
    kind: 'live',
    name: 'scripted',
    docker: { endpoint: '', get: refuse, events: refuse },
    uid: 0,
    now: () => 0,
    readFile: async path => {
      const found = files[path] ?? new HostError('missing', `${path}: no such file`);
      if (found instanceof HostError) throw found;
      return found;
    },
    readFiles: refuse,
    readLinks: refuse,
    list: refuse,
    run: async tool => {
      const turn = (asked[tool] = (asked[tool] ?? -1) + 1);
      const list = answers[tool] ?? [];
      const answer = list[Math.min(turn, list.length - 1)] ?? new HostError('missing', `${tool} not found`);
      if (answer instanceof HostError) throw answer;
      return { code: 0, signal: null, stdout: '', stderr: '', ...answer };
    },
    follow: refuse,
  };
}

const header = '# Generated by iptables-save v1.8.9 (nf_tables) on Sat Nov 21 00:41:11 2026\n';
const save = (...rules: string[]): Answer => ({
  stdout: `${header}*filter\n:FORWARD ACCEPT [0:0]\n${rules.map(rule => `[0:0] ${rule}\n`).join('')}COMMIT\n`,
});
const nftOf = (...exprs: unknown[][]): Answer => ({
  stdout: JSON.stringify({
    nftables: [
      { metainfo: {} },
      { chain: { family: 'ip', table: 'filter', name: 'FORWARD', type: 'filter', hook: 'forward', prio: 0 } },
      ...exprs.map(expr => ({ rule: { family: 'ip', table: 'filter', chain: 'FORWARD', expr } })),
    ],
  }),
});
const fromHost = (address: string) => ({
  match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: address },
});
const stdoutOf = (answer: Answer): string => (answer instanceof HostError ? '' : (answer.stdout ?? ''));
const dated = (second: number, ...rules: string[]): Answer => ({
  stdout: stdoutOf(save(...rules)).replace('00:41:11', `00:41:${second}`),
});
const none: Answer = {};
const noRules = nftOf();

suite('tools that fail', () => {
  test('a crash of nft is told from an empty ruleset', async () => {
    for (const crash of [{ code: null, signal: 'SIGSEGV' }, { code: 139 }]) {
      const host = scripted({ 'iptables-save': [none], 'ip6tables-save': [none], nft: [crash] });
      const { value, missing } = await readNetfilter(host);
      assert.match(missing ?? '', /nft crashed \(SIGSEGV\): it may be older than the program that wrote the rules/);
      assert.deepEqual(value.tools.at(-1)?.state, 'failed');
    }
  });

  test('JSON that ends early is a failure of nft, not a short ruleset', async () => {
    const whole = noRules instanceof HostError ? '' : (noRules.stdout ?? '');
    const host = scripted({
      'iptables-save': [save('-A FORWARD -j DROP')],
      'ip6tables-save': [none],
      nft: [{ stdout: whole.slice(0, -10) }],
    });
    const { value, missing } = await readNetfilter(host);
    assert.equal(value.chains.length, 1);
    assert.match(missing ?? '', /native nftables tables: nft printed JSON that cannot be parsed/);
  });

  test('tools that are not installed are named, and nothing is empty that was not read', async () => {
    const ip = scripted({ 'iptables-save': [save('-A FORWARD -j DROP')], 'ip6tables-save': [none] });
    assert.match((await readNetfilter(ip)).missing ?? '', /native nftables tables: nft not found/);
    const native = await readNetfilter(scripted({ nft: [nftOf([fromHost('192.0.2.1'), { drop: null }])] }));
    assert.equal(native.missing, undefined, 'nft alone reads native rules completely');
    assert.deepEqual(
      native.value.tools.map(({ state }) => state),
      ['missing', 'missing', 'ok'],
    );
    await assert.rejects(readNetfilter(scripted({})), { code: 'missing' });
  });

  test('legacy tables without their saver are missing, and unreadable ones are not ruled out', async () => {
    const answers = { 'iptables-save': [save()], 'ip6tables-save': [none], nft: [noRules] };
    const names = '/proc/net/ip_tables_names';
    const there = await readNetfilter(scripted(answers, { [names]: 'nat\nfilter\n' }));
    assert.match(there.missing ?? '', /iptables-legacy-save not found/);
    const hidden = await readNetfilter(scripted(answers, { [names]: new HostError('denied', 'no') }));
    assert.match(hidden.missing ?? '', /legacy iptables rules, if any/);
    assert.equal((await readNetfilter(scripted(answers, { [names]: '' }))).missing, undefined);
    const silent = await readNetfilter(scripted({ ...answers, 'iptables-legacy-save': [none] }, { [names]: 'nat\n' }));
    assert.match(silent.missing ?? '', /iptables-legacy-save prints none of the tables that the kernel lists/);
  });

  test('an empty answer of a legacy saver that may not look is a refusal', async () => {
    // iptables-legacy-save takes a list of tables that it may not read for an empty one and exits with 0.
    const host = scripted(
      {
        'iptables-save': [none],
        'ip6tables-save': [none],
        nft: [{ code: 1, stderr: 'netlink: Error: cache initialization failed: Operation not permitted\n' }],
      },
      {
        '/proc/net/ip_tables_names': new HostError('denied', 'no'),
        '/proc/net/ip6_tables_names': new HostError('denied', 'no'),
      },
    );
    await assert.rejects(readNetfilter(host), { code: 'denied' });
  });

  test('waits for the xtables lock once', async () => {
    const held = { code: 4, stderr: 'Another app is currently holding the xtables lock; still 9s 0us time ahead\n' };
    const host = scripted({
      'iptables-save': [held, save('-A FORWARD -j DROP')],
      'ip6tables-save': [none],
      nft: [noRules, noRules],
    });
    const { value } = await readNetfilter(host);
    assert.equal(value.tools[0]?.state, 'ok');
  });

  test('reads again when rules changed between two tools, and says so when they go on changing', async () => {
    const before = save('-A FORWARD -s 192.0.2.1/32 -j DROP');
    const after = save('-A FORWARD -s 192.0.2.1/32 -j DROP', '-A FORWARD -s 192.0.2.2/32 -j DROP');
    const two = nftOf([fromHost('192.0.2.1'), { drop: null }], [fromHost('192.0.2.2'), { drop: null }]);
    const settles = await readNetfilter(
      scripted({ 'iptables-save': [before, after], 'ip6tables-save': [none], nft: [two] }),
    );
    assert.equal(settles.missing, undefined);
    assert.equal(settles.value.chains[0]?.rules.length, 2);
    const restless = await readNetfilter(scripted({ 'iptables-save': [before], 'ip6tables-save': [none], nft: [two] }));
    assert.match(restless.missing ?? '', /rules changed while they were read \(ip filter FORWARD\)/);
  });
});

suite('the same rules again', () => {
  const one = '-A FORWARD -s 192.0.2.1/32 -j DROP';
  const others = { 'ip6tables-save': [none], nft: [nftOf([fromHost('192.0.2.1'), { drop: null }])] };

  test('are not parsed again, whatever the time of day that a saver notes', async () => {
    const host = scripted({ ...others, 'iptables-save': [dated(11, one), dated(41, one)] });
    const first = await readNetfilter(host);
    assert.equal((await readNetfilter(host)).value, first.value);
  });

  test('are the value that lives on of them', async () => {
    const host = scripted({ ...others, 'iptables-save': [dated(11, one)] });
    const first = await readNetfilter(host);
    const kept = structuredClone(first.value);
    keepNetfilterAs(host, structuredClone(first.value), kept);
    assert.equal((await readNetfilter(host)).value, first.value, 'another value is not the one that was read');
    keepNetfilterAs(host, first.value, kept);
    assert.equal((await readNetfilter(host)).value, kept);
  });

  test('are no news for a counter, and are all told of by nft only without legacy tables and sets that change by themselves', async () => {
    const files: Record<string, string> = {};
    const set = (more: object) => ({
      stdout: JSON.stringify({
        nftables: [
          ...(JSON.parse(stdoutOf(others.nft[0]!)) as { nftables: object[] }).nftables,
          { set: { family: 'ip', table: 'filter', name: 's', type: 'ipv4_addr', handle: 9, ...more } },
        ],
      }),
    });
    const counted = { stdout: stdoutOf(dated(41, one)).replace(`[0:0] ${one}`, `[1:60] ${one}`) };
    const host = scripted(
      {
        'iptables-save': [
          dated(11, one),
          counted,
          dated(12, one),
          dated(12, one),
          dated(12, one.replace('.1/', '.7/')),
        ],
        'ip6tables-save': [none],
        nft: [
          others.nft[0]!,
          others.nft[0]!,
          set({ elem: ['192.0.2.9'] }),
          set({ flags: ['dynamic'] }),
          others.nft[0]!,
        ],
        'iptables-legacy-save': [none],
      },
      files,
    );
    const look = async () => {
      await readNetfilter(host);
      return [haveRulesChanged(host), areRulesTold(host)];
    };
    assert.deepEqual(await look(), [true, true], 'the first look');
    assert.deepEqual(await look(), [false, true], 'a counter');
    assert.deepEqual(await look(), [true, true], 'a set with fixed elements');
    assert.deepEqual(await look(), [true, false], 'one that packets fill');
    assert.deepEqual(await look(), [true, true], 'another rule');
    assert.equal(await haveLegacyTablesChanged(host), false);
    files['/proc/net/ip_tables_names'] = 'filter\n';
    assert.equal(await haveLegacyTablesChanged(host), true);
    assert.equal((await look())[1], false);
    assert.equal(await haveLegacyTablesChanged(host), false);
  });

  test('are others as soon as a counter, a rule, an error or a list of legacy tables differs', async () => {
    const counted = { stdout: stdoutOf(dated(41, one)).replace(`[0:0] ${one}`, `[1:60] ${one}`) };
    const files: Record<string, string> = {};
    const host = scripted(
      {
        'iptables-save': [dated(11, one), counted, dated(41, one.replace('.1/', '.7/')), dated(41, one)],
        'ip6tables-save': [none, none, none, { code: 1, stderr: 'broken' }, none],
        nft: others.nft,
        'iptables-legacy-save': [{ stdout: stdoutOf(save('-A FORWARD -j DROP')).replace('(nf_tables)', '') }, none],
      },
      files,
    );
    const read = async () => (await readNetfilter(host)).value;
    const values = [await read(), await read(), await read(), await read(), await read()];
    assert.equal(new Set(values).size, 5);
    assert.equal(values[1]?.chains[0]?.rules[0]?.packets, 1);
    files['/proc/net/ip_tables_names'] = 'filter\n';
    const legacy = await read();
    assert.ok(legacy.chains.some(({ backend }) => backend === 'iptables-legacy'));
    const emptied = await read();
    assert.ok(!emptied.chains.some(({ backend }) => backend === 'iptables-legacy'), 'the legacy saver is asked again');
    assert.equal(await read(), emptied);
  });
});
