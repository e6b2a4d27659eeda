/** Every command on a host of hostile names: what it prints, byte by byte. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { packRecording } from '../../source/host/recording/load.ts';
import { runNetdash } from '../commands/running.ts';
import { demo } from './demo.ts';
import { hostileRecording, shownFields, unusedFields } from './hostile-recording.ts';
import { assertPlain } from './judge.ts';
import { payloads } from './payloads.ts';

const folder = mkdtempSync(join(tmpdir(), 'netdash-hostile-'));
after(() => rmSync(folder, { recursive: true }));

interface Named {
  containers: { id: string; name: string }[];
}

const asText = [
  ['snapshot'],
  ['ports'],
  ['doctor'],
  ['doctor', '--nagios'],
  ['explain', '8080'],
  ['watch', '--for', '1'],
];
const asJson = [['snapshot'], ['ports'], ['doctor'], ['explain', '8080'], ['watch', '--for', '1']];

/** Every string in a JSON value, keys included. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(stringsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...stringsIn(item)]);
}

for (const [title, payload] of Object.entries(payloads)) {
  describe(title, () => {
    const file = join(folder, `${Object.keys(payloads).indexOf(title)}.json.gz`);
    const replay = ['--replay', file];
    writeFileSync(file, packRecording(hostileRecording(demo(), payload)));
    let everything = '';

    const isAll = title === 'everything';
    for (const command of isAll ? asText : asText.slice(0, 1)) {
      test(command.join(' '), async () => {
        const { code, stdout, stderr } = await runNetdash([...command, ...replay]);
        assert.ok([0, 1, 2, 3].includes(code), stderr);
        assert.equal(stderr, '');
        assertPlain(stdout, command.join(' '));
        assert.ok(stdout.length > 200 || command[0] === 'watch', stdout);
        everything += stdout;
      });
    }

    test('without UTF-8 there is nothing but ASCII', async () => {
      for (const command of [['snapshot'], ['doctor', '--nagios']]) {
        const { stdout } = await runNetdash([...command, ...replay], { COLUMNS: '80', LANG: 'C' });
        assert.match(stdout, /^[\x20-\x7e\n]+$/);
      }
    });

    let ids: string[] = [];
    for (const command of isAll ? asJson : asJson.slice(0, 1)) {
      test(`${command.join(' ')} --json`, async () => {
        const { stdout, stderr } = await runNetdash([...command, '--json', ...replay]);
        assert.equal(stderr, '');
        assertPlain(stdout, command.join(' '));
        const values = stdout
          .split('\n')
          .filter(line => line !== '')
          .map((line): unknown => JSON.parse(line));
        if (command[0] !== 'snapshot') return;
        const strings = stringsIn(values);
        ids = (values[0] as Named).containers.map(({ id }) => id);
        // Nothing is lost or changed on the way into JSON.
        assert.ok(
          strings.some(text => text.startsWith(payload) && text.endsWith('web~container')),
          'the name of web, as it is',
        );
        for (const field of shownFields)
          assert.ok(
            strings.some(text => text.includes(`~${field}`)),
            `${field} is in no JSON`,
          );
        for (const field of unusedFields)
          assert.ok(!strings.some(text => text.includes(`~${field}`)), `${field} is kept`);
      });
    }

    test('the page of every container', async () => {
      assert.ok(ids.length > 10);
      for (const id of ids.slice(0, isAll ? 4 : 1)) {
        const { code, stdout, stderr } = await runNetdash([id, ...replay]);
        assert.equal(code, 0, stderr);
        assertPlain(stdout, id);
        everything += stdout;
      }
      // The fields got as far as the screen, so that looking at it has a meaning. Long texts are cut, and what fails is on one page only.
      if (!isAll) return;
      // Of a version so long, the header has room for the beginning only.
      for (const field of shownFields.filter(name => name !== 'version'))
        assert.ok(everything.includes(`~${field}`), `${field} is in no text`);
    });

    test('what is wrong with the command line', async () => {
      const evil = payload.replaceAll('\0', '');
      for (const words of [
        [evil],
        [`${evil}~`, ...replay],
        ['explain', evil, ...replay],
        ['explain', `${evil}:80/${evil}`, ...replay],
        ['explain', '80', '--from', evil, ...replay],
        ['explain', '80', '--from', `container:${evil}`, ...replay],
        ['explain', '80', '--from', `lan:${evil}`, ...replay],
        ['watch', '--for', evil, ...replay],
        ['snapshot', '--replay', `/nonexistent/${evil}`],
        ['snapshot', '--host', evil],
        ['snapshot', '--host', `tcp://${evil}:1`],
        ['snapshot', '--host', `unix:///nonexistent/${evil}`],
        ['snapshot', '--context', evil],
        [`--${evil}`],
        ['snapshot', evil],
      ]) {
        const { stdout, stderr } = await runNetdash(words, { DOCKER_CONFIG: folder });
        assertPlain(stdout, JSON.stringify(words));
        assertPlain(stderr, JSON.stringify(words));
        assert.doesNotMatch(stderr, /internal error/);
      }
    });
  });
}
