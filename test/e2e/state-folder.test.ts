/** Where the last known ports are kept, on hosts where that is hard: netdash goes on and says so. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import * as v from 'valibot';
import { SnapshotSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash } from './netdash.ts';
import { Terminal } from './terminal.ts';

const as = (uid: number): string[] => ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];

/** What `snapshot` says of its state, under these words before it: undefined when all is well. */
async function stateSays(lab: Lab, ...prefix: string[]): Promise<string | undefined> {
  const { code, stdout, stderr } = await lab.inHost([...prefix, ...netdash('snapshot', '--json')]);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  const snapshot = v.parse(SnapshotSchema, JSON.parse(stdout));
  assert.equal(snapshot.containers.length, 1);
  return snapshot.sources['state']?.reason;
}

async function shell(lab: Lab, script: string): Promise<string> {
  const { code, stdout, stderr } = await lab.inHost(['sh', '-ec', script]);
  assert.equal(code, 0, `${script}: ${stderr}`);
  return stdout;
}

describeLab('the state folder', {}, lab => {
  const folder = (name: string) => join(lab().dir, name);

  before(async () => {
    await lab().run('one', { publish: ['80'], restart: 'always' });
    await shell(lab(), `chmod 666 ${lab().socket}; chmod 755 ${lab().dir}`);
  });

  test('is the home of the user, whatever HOME and XDG_STATE_HOME say; without a home that is said', async () => {
    const home = folder('home');
    await shell(lab(), `mkdir ${home}; chown 1234:1234 ${home}`);
    const env = ['env', '-u', 'XDG_STATE_HOME'];
    assert.equal(await stateSays(lab(), ...as(1234), ...env, `HOME=${home}`), undefined);
    const kept = join(home, '.local', 'state', 'netdash');
    assert.equal((await readdir(kept)).length, 1);
    assert.equal((await stat(kept)).mode & 0o777, 0o700);
    assert.equal(await stateSays(lab(), ...as(1234), 'env', `HOME=${home}`, 'XDG_STATE_HOME=here'), undefined);
    // A user that the user database does not know, as in a container with --user.
    for (const say of [['-u', 'HOME'], ['HOME='], ['HOME=relative']]) {
      const reason = await stateSays(lab(), ...as(12_345), ...env, ...say);
      assert.match(reason ?? '', /no home folder is known, set XDG_STATE_HOME/);
    }
    assert.deepEqual(
      (await readdir('.')).filter(name => ['here', 'relative', 'netdash'].includes(name)),
      [],
    );
  });

  test('belongs to the user also when netdash ran under sudo', async () => {
    const home = folder('sudo-home');
    await shell(lab(), `mkdir ${home}; chown 1234:1234 ${home}`);
    const sudo = ['env', '-u', 'XDG_STATE_HOME', `HOME=${home}`, 'SUDO_UID=1234', 'SUDO_GID=1234', 'SUDO_USER=u'];
    assert.equal(await stateSays(lab(), ...sudo), undefined);
    const port = (await lab().inspect('one')).NetworkSettings.Ports['80/tcp'];
    await lab().restart('one');
    assert.notDeepEqual((await lab().inspect('one')).NetworkSettings.Ports['80/tcp'], port);
    const user = [...as(1234), 'env', '-u', 'XDG_STATE_HOME', `HOME=${home}`];
    const { stdout } = await lab().inHost([...user, ...netdash('snapshot', '--json')]);
    const { portChanges, sources } = v.parse(SnapshotSchema, JSON.parse(stdout));
    assert.equal(sources['state'], undefined);
    assert.deepEqual(
      portChanges.map(({ cause }) => cause),
      ['while-away'],
    );
    assert.equal(await shell(lab(), `find ${home} ! -uid 1234`), '');
  });

  test('may hold a file that is cut off, another version’s or a planted link: said once, put right, never followed', async () => {
    const state = folder('bad');
    const say = () => stateSays(lab(), 'env', `XDG_STATE_HOME=${state}`);
    assert.equal(await say(), undefined);
    const [name = ''] = await readdir(join(state, 'netdash'));
    const path = join(state, 'netdash', name);
    const good = await readFile(path, 'utf8');
    for (const [text, reason] of [
      [good.slice(0, -20), /is ignored: it is damaged/],
      ['', /is ignored: it is damaged/],
      ['\0'.repeat(4096), /is ignored: it is damaged/],
      ['{"netdashState":9}', /another version of netdash wrote it/],
    ] as const) {
      writeFileSync(path, text);
      assert.match((await say()) ?? '', reason);
      assert.equal(await say(), undefined);
    }
    const victim = folder('victim');
    writeFileSync(victim, 'precious');
    await shell(lab(), `ln -sf ${victim} ${path}`);
    assert.match((await say()) ?? '', /symbolic link/);
    assert.equal(await say(), undefined);
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
    await shell(lab(), `rm -r ${state}/netdash; ln -s ${lab().dir} ${state}/netdash; : >${lab().dir}/${name}`);
    await say();
    assert.equal(readFileSync(folder(name), 'utf8'), '');
  });

  test('may be read-only, full, or not to be made while the dashboard runs: it says so and writes once it can', async () => {
    const [readOnly, full, blocked] = [folder('read-only'), folder('full'), folder('in-the-way')];
    await shell(
      lab(),
      `mkdir ${readOnly} ${full}
       mount -t tmpfs -o ro,size=1m none ${readOnly}
       mount -t tmpfs -o size=8k none ${full}; mkdir ${full}/netdash; chmod 700 ${full}/netdash
       cat /dev/zero >${full}/fill 2>/dev/null || :
       echo >${blocked}`,
    );
    const cases = [
      { state: readOnly, words: /the file system is read-only/, cure: `mount -o remount,rw ${readOnly}` },
      { state: full, words: /the disk is full/, cure: `rm ${full}/fill` },
      { state: blocked, words: /no folder/, cure: `rm ${blocked}` },
    ];
    const opened = await Promise.all(
      cases.map(({ state }) =>
        Terminal.open(lab(), netdash(), { columns: 250, rows: 30, env: { XDG_STATE_HOME: state } }),
      ),
    );
    try {
      for (const [index, { words }] of cases.entries()) {
        await opened[index]!.until(/state [!~✗]/);
        await opened[index]!.until(words);
      }
      for (const [index, { state, cure }] of cases.entries()) {
        await shell(lab(), cure);
        await opened[index]!.untilGone(/state [!~✗]/);
        assert.match(await shell(lab(), `cat ${state}/netdash/ports-*.json`), /^\{"netdashState":1.*\}$/);
        await opened[index]!.quit();
      }
    } finally {
      for (const terminal of opened) await terminal.abandon();
      await shell(lab(), `umount ${readOnly} ${full}`);
    }
  });
});
