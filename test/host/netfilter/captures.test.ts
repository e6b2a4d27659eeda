import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { ChainReading, RuleReading } from '../../../source/host/readings.ts';
import { parseRuleset } from '../../../source/host/netfilter/nft.ts';
import { joinTools } from '../../../source/host/netfilter/reconcile.ts';
import { parseSave } from '../../../source/host/netfilter/xtables.ts';

/** What the tools printed on hosts with Docker 20.10, 26.1, 28.5 (twice, once without docker-proxy) and 29.7 with nftables. */
const setups = ['20', '26', '28', '28-noproxy', '29-nftables'];
const text = (setup: string, name: string): string => {
  const file = new URL(`../../fixtures/netfilter/${setup}/${name}`, import.meta.url);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
};

const rulesOf = (chains: readonly ChainReading[]): RuleReading[] => chains.flatMap(chain => chain.rules);
const hasUnknown = (rule: RuleReading): boolean =>
  rule.target.kind === 'unknown' || rule.matches.some(match => match.kind === 'unknown');

suite('rules of real hosts', () => {
  for (const setup of setups) {
    const outputs = [
      parseSave(text(setup, 'iptables-save.txt'), 'ip'),
      parseSave(text(setup, 'ip6tables-save.txt'), 'ip6'),
    ];
    const saved = outputs.flatMap(output => output.chains);
    const ruleset = parseRuleset(text(setup, 'nft.json'));
    const joined = joinTools(saved, ruleset);

    test(`Docker ${setup}: every rule is understood`, () => {
      assert.deepEqual(rulesOf(joined.chains).filter(hasUnknown), []);
      assert.deepEqual(
        outputs.map(({ strange, unfinished, incompatible }) => [strange, unfinished, incompatible]),
        [
          [[], [], []],
          [[], [], []],
        ],
      );
    });

    test(`Docker ${setup}: each rule of the kernel is there once, in the words of the tool that owns it`, () => {
      const printed = `${text(setup, 'iptables-save.txt')}${text(setup, 'ip6tables-save.txt')}`;
      const expected = [...printed.matchAll(/^\[\d+:\d+\] (-A .*)$/gm)].map(([, rule]) => rule);
      const xtables = joined.chains.filter(chain => chain.backend !== 'nft');
      assert.deepEqual(
        rulesOf(xtables).map(rule => rule.text),
        expected,
      );
      assert.equal(rulesOf(joined.chains).length, rulesOf(ruleset.chains).length, 'nft lists every rule of both');
      assert.deepEqual([joined.unequal, joined.halfRead], [[], 0]);
      const names = joined.chains.map(({ family, table, name }) => `${family} ${table} ${name}`);
      assert.equal(new Set(names).size, names.length);
    });
  }

  test('without iptables-save, its rules are nft’s and half read', () => {
    const ruleset = parseRuleset(text('28', 'nft.json'));
    const { chains, halfRead } = joinTools([], ruleset);
    const halves = rulesOf(chains).filter(hasUnknown);
    assert.equal(halfRead, 45);
    assert.equal(halves.length, 45);
    // Conditions that cannot be read must not look as if there were none.
    const drop = rulesOf(chains.filter(chain => chain.name === 'DOCKER-USER'))[0];
    assert.deepEqual(drop?.matches.at(-1), { kind: 'unknown', text: 'xt match conntrack' });
  });

  test('verdict maps come with their entries', () => {
    const { chains } = parseRuleset(text('29-nftables', 'nft.json'));
    const forward = chains.find(chain => chain.family === 'ip' && chain.name === 'filter-FORWARD');
    const target = forward?.rules[0]?.target;
    assert.equal(target?.kind, 'vmap');
    assert.equal(target.entries.length, 10);
    assert.deepEqual(target.entries.at(-1), { key: 'docker0', verdict: 'jump', chain: 'filter-forward-in__docker0' });
  });
});
