/** What is printed to be copied, against the shells themselves. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { areNftNames, savedWords, shellName, shellWord } from '../../source/facts/shell-words.ts';

const shells = ['/bin/sh', '/bin/bash', '/bin/zsh', '/bin/busybox'].filter(path => existsSync(path));

/** The arguments that a shell makes of a text. */
function argumentsOf(shell: string, text: string): string[] {
  const applet = shell.endsWith('busybox') ? ['sh'] : [];
  const out = execFileSync(shell, [...applet, '-c', `printf '%s\\0' ${text}`], {
    env: {},
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return out.split('\0').slice(0, -1);
}

const hostile = [
  'eth0',
  'eth0.10',
  'br-0123456789ab',
  '',
  "it's",
  '$(>marker)',
  '`>marker`',
  'a;>marker;b',
  'a b',
  '-x',
  '~root',
  '*',
  '#none',
  'a\\nb',
  '"',
  '!important',
  '<x>',
  'a&b',
];

for (const shell of shells) {
  test(`${shell} takes a word for the very text it was made of`, () => {
    assert.deepEqual(argumentsOf(shell, hostile.map(shellWord).join(' ')), hostile);
  });
}

test('any text is one word of sh', () => {
  const texts: string[] = [];
  check(
    property(string({ unit: 'binary' }), text => void texts.push(text.replaceAll('\0', ''))),
    { numRuns: 300 },
  );
  const sound = texts.filter(text => Buffer.from(text).toString() === text);
  assert.deepEqual(argumentsOf('/bin/sh', sound.map(shellWord).join(' ')), sound);
});

test('what is plain stays plain, so that a command reads as one would type it', () => {
  for (const word of ['eth0', 'eth0.10', '10.0.0.1/24', 'fd00::1', '80:90', '--dport'.slice(2), 'a_b-c'])
    assert.equal(shellWord(word), word);
});

test('a rule of iptables-save becomes the arguments that it was written with', () => {
  const rule = String.raw`-D DOCKER ! -i docker0 -p tcp -m comment --comment "say \"$(>marker)\" it\'s \\ done" -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80`;
  const expected = [
    ...'-D DOCKER ! -i docker0 -p tcp -m comment --comment'.split(' '),
    String.raw`say "$(>marker)" it's \ done`,
    ...'-m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80'.split(' '),
  ];
  for (const shell of shells) assert.deepEqual(argumentsOf(shell, savedWords(rule)), expected);
  assert.equal(savedWords('-D X -j DROP'), '-D X -j DROP');
});

test('a name that could be an option or more is told by its id', () => {
  const id = 'a'.repeat(64);
  assert.equal(shellName({ name: 'web_1.a-b', id }), 'web_1.a-b');
  assert.equal(shellName({ name: '-f', id }), 'aaaaaaaaaaaa');
  assert.equal(shellName({ name: 'x;reboot', id }), 'aaaaaaaaaaaa');
  assert.equal(shellName({ name: 'x;reboot' }), "'x;reboot'");
});

test('nft, which reads its arguments as one text, is given names only', () => {
  assert.ok(areNftNames('inet', 'filter', 'DOCKER-USER'));
  assert.ok(!areNftNames('inet', 'x; flush ruleset', 'y'));
  assert.ok(!areNftNames('inet', '', 'y'));
});
