/** Hostile names on a real host, as far as Docker and the kernel take them. */
import assert from 'node:assert/strict';
import { labTest } from '../lab/for-tests.ts';
import { netdash } from '../e2e/netdash.ts';
import { assertPlain } from './judge.ts';

const evil = '\u{1B}]0;owned\u{7}\u{9B}2J\u{202E}\u{200B}資';

labTest('labels, aliases, host names, processes, interfaces, rules and sets of a real host', {}, async lab => {
  const done = async (...command: string[]) => {
    const { code, stderr } = await lab.inHost(command);
    assert.equal(code, 0, `${command.join(' ')}: ${stderr}`);
  };
  await lab.networkCreate('app');
  const labels = { 'com.docker.compose.project': `${evil}~project`, 'com.docker.compose.service': evil };
  for (let i = 0; i < 10_000; i += 1) Object.assign(labels, { [`label-${i}-${evil}`]: evil });
  await lab.run('web', {
    network: 'app',
    publish: ['8080:80'],
    aliases: [`${evil}~alias`],
    labels,
    cmd: ['sh', '-c', `exec httpd -f -p 80 -c '${evil}~argument'`],
  });
  // A process whose name and arguments are its own to choose, with a socket of the host.
  const program = `process.title = ${JSON.stringify(`${evil}~title`)}; require('node:net').createServer().listen(7007, () => console.log('ready'))`;
  const listener = await lab.spawnInHost([process.execPath, '-e', program, `${evil}~cmdline`]);
  await new Promise(resolve => listener.child.stdout!.once('data', resolve));
  // As long as the kernel takes, without white space, slash and colon.
  await done('ip', 'link', 'add', 'name', '\u{1B}[2J\u{7}資', 'type', 'bridge');
  await done(
    'iptables',
    '-I',
    'FORWARD',
    '-m',
    'comment',
    '--comment',
    `${evil}\n-A INPUT -j ACCEPT~comment`,
    '-j',
    'RETURN',
  );
  await done('nft', 'add table inet foreign');
  await done('nft', 'add chain inet foreign forward { type filter hook forward priority 5; policy accept; }');
  await done('nft', `add rule inet foreign forward counter comment "${evil}~nft"`);
  await done('hostname', 'lab');

  for (const command of [['snapshot'], ['ports'], ['doctor'], ['doctor', '--nagios'], ['explain', '8080'], ['web']]) {
    const { code, stdout, stderr } = await lab.inHost(netdash(...command), { env: { LANG: 'C.UTF-8' } });
    assert.ok(code === 0 || code === 1, `${command.join(' ')}: ${code} ${stderr}`);
    assertPlain(stdout, command.join(' '));
    assert.equal(stderr, '');
  }
  const { stdout } = await lab.inHost(netdash('snapshot', '--json'));
  assertPlain(stdout, 'snapshot --json');
  const snapshot = JSON.parse(stdout) as {
    sources: Record<string, { state: string; reason?: string }>;
    containers: { name: string; composeProject?: string; endpoints: { aliases: string[] }[]; command?: string }[];
    interfaces: { name: string }[];
    rules: { comment?: string; text: string }[];
  };
  // Nothing is hidden by it, and in JSON everything is what it is.
  for (const [name, { state, reason }] of Object.entries(snapshot.sources))
    assert.equal(state, 'ok', `${name}: ${reason}`);
  const [web] = snapshot.containers;
  assert.equal(web?.composeProject, `${evil}~project`);
  assert.ok(web.endpoints[0]?.aliases.includes(`${evil}~alias`));
  assert.ok(snapshot.interfaces.some(({ name }) => name === '\u{1B}[2J\u{7}資'));
  const texts = snapshot.rules.map(({ comment, text }) => `${comment} ${text}`).join(' ');
  for (const mark of ['~comment', '~nft']) assert.ok(texts.includes(mark), mark);
  await listener.kill('SIGKILL');
});
