/** The dashboard on real terminals: every key, every size, every way to end, every environment; the terminal is as it was. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyTable, type KeyContext } from '../../source/ui/key-table.ts';
import { describeLab } from '../lab/for-tests.ts';
import { netdash } from './netdash.ts';
import { Terminal, type TerminalOptions } from './terminal.ts';

/** What a terminal sends for keys that are no character. */
const bytes: Record<string, string> = {
  down: '\u001B[B',
  up: '\u001B[A',
  right: '\u001B[C',
  left: '\u001B[D',
  home: '\u001B[H',
  end: '\u001B[F',
  'page-down': '\u001B[6~',
  'page-up': '\u001B[5~',
  tab: '\t',
  'shift-tab': '\u001B[Z',
  enter: '\r',
  escape: '\u001B',
  backspace: '\u007F',
};
const bytesOf = (key: string): string => {
  const [, control] = /^ctrl-(.)$/.exec(key) ?? [];
  return control === undefined ? (bytes[key] ?? key) : String.fromCodePoint(control.codePointAt(0)! - 96);
};

/** All keys of a context but those that end or suspend the program. */
const keysOf = (context: KeyContext): string[] =>
  keyTable
    .filter(({ contexts, command }) => contexts.includes(context) && command !== 'quit' && command !== 'suspend')
    .flatMap(({ keys }) => keys);

/**
 * Until something is done, leaves whatever place is shown every other second and presses a key in between: a slow machine may
 * read an escape and the letter typed long after it at once, as Alt and that letter.
 */
async function insisting(terminal: Terminal, key: string, act: () => Promise<void>): Promise<void> {
  let turn = 0;
  const timer = setInterval(() => terminal.type((turn += 1) % 2 === 1 ? '\u001B' : key), 1000);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
}

const shown = (terminal: Terminal) => terminal.until(/web .*running/);
const commandLine = (...args: string[]) => netdash(...args).join(' ');
const as = (...groups: string[]): string[] => ['setpriv', '--reuid=65534', '--regid=65534', ...groups];

describeLab('the dashboard on a terminal', {}, lab => {
  before(async () => {
    await lab().run('web', { publish: ['8080:80'] });
    await lab().run('eph', { publish: ['80'] });
    await lab().run('hosted', { network: 'host', cmd: ['httpd', '-f', '-p', '8090'] });
    await lab().create('resting', { publish: ['8081:80'] });
  });

  const shell = (script: string) => lab().inHost(['sh', '-c', script], { timeoutMs: 60_000 });

  /** Opens netdash, does something, and ends it whatever came of it. */
  async function on(options: TerminalOptions, act: (terminal: Terminal) => Promise<void>): Promise<void> {
    const terminal = await Terminal.open(lab(), netdash(), options);
    try {
      await act(terminal);
    } finally {
      await terminal.abandon();
    }
  }

  for (const [columns, rows] of [
    [80, 24],
    [200, 50],
  ] as const) {
    test(`takes every key in every place at ${columns}x${rows}`, async () => {
      await on({ columns, rows }, async terminal => {
        await shown(terminal);
        // Every place once, and at one size.
        const isFirst = columns === 80;
        const places: [KeyContext, string[]][] = [
          ['panes', isFirst ? ['1', '3', '5', '6', 'f'] : ['2']],
          ['container', isFirst ? ['1\r1', '1\r5', '1\r9'] : ['1\r3']],
          ['text', ['?']],
          ['filter', ['1/']],
        ];
        for (const [context, ways] of places) {
          for (const way of ways) {
            for (const key of keysOf(context)) {
              terminal.type(way);
              await sleep(8);
              terminal.type(bytesOf(key));
              await sleep(8);
              // An escape followed at once by a letter would be Alt and that letter.
              for (let turn = 0; turn < 3; turn += 1) {
                terminal.type('\u001B');
                await sleep(15);
              }
            }
          }
        }
        terminal.type('1');
        await insisting(terminal, '1', () => shown(terminal));
        assert.doesNotMatch(terminal.text(), /internal error|at .*\(.*:\d+:\d+\)/);
        await insisting(terminal, 'q', () => terminal.quit());
      });
    });
  }

  test('filters, opens, freezes, copies and redraws', async () => {
    await on({ columns: 110, rows: 30 }, async terminal => {
      await shown(terminal);
      const names = () =>
        terminal
          .lines()
          .map(line => /^[▌ ] (\S+) +●/.exec(line)?.[1])
          .filter(name => name !== undefined)
          .join(' ');
      await terminal.until(() => names() === 'eph hosted web');
      for (const [filter, expected] of [
        ['port:8080', 'web'],
        ['mode:host', 'hosted'],
        ['-mode:host', 'eph web'],
        ['eph', 'eph'],
        ['net:bridge', 'eph web'],
        ['net:bridge port:8080', 'web'],
        ['nothing-has-this', ''],
      ] as const) {
        terminal.type(`/${filter}\r`);
        await terminal.until(() => names() === expected);
        terminal.type('\u001B');
        await terminal.until(() => names() === 'eph hosted web');
      }
      assert.doesNotMatch(terminal.text(), /resting/);
      terminal.type('a');
      await terminal.until(/resting/);
      terminal.type('a');
      await terminal.untilGone(/resting/);

      terminal.type('/mistake\u0015eph\r');
      await terminal.until(() => /▌ eph/.test(terminal.text()));
      terminal.type('\r');
      await terminal.until(/─ eph/);
      const tab = (name: string): string => new RegExp(`(\\d) ${name}`).exec(terminal.text())?.[1] ?? assert.fail(name);
      for (const [name, words] of [
        ['Ports', /80\/tcp/],
        ['Links', /eth0/],
        ['Sockets', /httpd/],
        ['Rules', /DNAT/],
        ['History', /History/],
        ['Raw', /"Id"/],
      ] as const) {
        terminal.type(tab(name));
        await terminal.until(words);
      }
      terminal.type('c');
      await terminal.until(/copied/);
      const [, copied = ''] = /\u001B\]52;c;([A-Za-z0-9+/=]+)/.exec(terminal.written) ?? [];
      assert.match(Buffer.from(copied, 'base64').toString('utf8'), /"Id": "[0-9a-f]{64}"/);

      terminal.type('1');
      await terminal.until(/published/);
      const port = (await lab().inspect('eph')).NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
      await terminal.until(new RegExp(`published +${port}`));
      terminal.type('p');
      await terminal.until(/FROZEN/);
      await lab().restart('eph');
      const next = (await lab().inspect('eph')).NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
      assert.notEqual(next, port);
      await sleep(1500);
      assert.match(terminal.text(), new RegExp(`published +${port}`));
      terminal.type('p');
      await terminal.until(new RegExp(`published +${next}`));
      await terminal.untilGone(/FROZEN/);

      const sofar = terminal.written.length;
      terminal.type('\u000C');
      await terminal.until(() => terminal.written.slice(sofar).includes('published'));
      await terminal.quit();
    });
  });

  test('fits any size, from one cell to a wall, and a storm of changes', async () => {
    await on({ columns: 80, rows: 24 }, async terminal => {
      await shown(terminal);
      for (const [columns, rows] of [
        [20, 5],
        [1, 1],
        [500, 200],
        [3, 80],
        [300, 2],
        [40, 12],
        [60, 10],
      ] as const) {
        await terminal.resize(columns, rows);
        await sleep(300);
        if (columns >= 60 && rows >= 10) {
          await terminal.until(text => /web/.test(text) && /quit/.test(text.split('\n').at(-1) ?? ''));
          assert.equal(terminal.text().split(/^lab +Docker/m).length, 2, terminal.text());
        } else if (columns >= 20) await terminal.until(/^netdash needs/);
      }
      for (let turn = 0; turn < 40; turn += 1) await terminal.signal('SIGWINCH');
      await terminal.resize(100, 30);
      await terminal.until(text => /web .*running/.test(text) && /q quit/.test(text.split('\n').at(-1) ?? ''));
      await terminal.quit();
    });
    for (const [columns, rows] of [
      [1, 1],
      [20, 5],
    ] as const) {
      await on({ columns, rows }, async terminal => {
        await terminal.until(() => terminal.isAlternate);
        await sleep(500);
        terminal.type('q');
        const { code, modesRestored } = await terminal.ended();
        assert.deepEqual({ code, modesRestored }, { code: 0, modesRestored: true });
      });
    }
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const) {
    test(`gives the terminal back on ${signal}`, async () => {
      await on({}, async terminal => {
        await shown(terminal);
        await terminal.signal(signal);
        assert.deepEqual(await terminal.ended(), { code, modesRestored: true, screenRestored: true });
      });
    });
  }

  test('opens no debugger on SIGUSR1, and goes on', async () => {
    await on({}, async terminal => {
      await shown(terminal);
      await terminal.signal('SIGUSR1');
      await sleep(500);
      assert.doesNotMatch((await shell('ss -Hltn')).stdout, /:9229 /);
      assert.doesNotMatch(terminal.written, /Debugger/);
      await terminal.quit();
    });
  });

  test('ends with the connection that it was shown on, and leaves no process', async () => {
    await on({}, async terminal => {
      await shown(terminal);
      const { pid } = terminal;
      await terminal.hangUp();
      const isThere = async () => (await lab().inHost(['test', '-e', `/proc/${pid}`])).code === 0;
      for (let turn = 0; await isThere(); turn += 1) {
        assert.ok(turn < 200, 'it runs on');
        await sleep(50);
      }
      const { stdout } = await lab().inHost(['sh', '-c', 'pgrep -ax "ip|nft" || :']);
      assert.equal(stdout, '');
    });
  });

  test('uses no more of a terminal than its environment says', async () => {
    const colours = /\u001B\[(?:\d+;)*(?:3[0-7]|9[0-7]|4[0-7])m/;
    await on({}, async terminal => {
      await shown(terminal);
      assert.match(terminal.written, colours);
      await terminal.quit();
    });
    const environments: TerminalOptions['env'][] = [{ NO_COLOR: '1' }, { LANG: 'C' }, { CI: '1' }, { TERM: undefined }];
    for (const env of environments) {
      await on({ env }, async terminal => {
        await shown(terminal);
        const name = Object.keys(env!)[0];
        if (name === 'NO_COLOR') assert.doesNotMatch(terminal.written, colours);
        if (name === 'LANG') assert.match(terminal.written, /^[\0-\u007F]*$/);
        await terminal.quit();
      });
    }
    await on({ env: { TERM: 'dumb' } }, async terminal => {
      const left = await terminal.ended();
      assert.deepEqual([left.code, left.modesRestored], [0, true]);
      assert.match(terminal.written, /web .*running/);
      assert.ok(!terminal.written.includes('\u001B'), JSON.stringify(terminal.written.slice(0, 400)));
    });
  });

  test('is text where an end of it is no terminal, and ends when its reader goes', async () => {
    const closed = await shell(`${commandLine()} <&-`);
    assert.equal(closed.code, 0, closed.stderr);
    assert.match(closed.stdout, /web .*running/);
    assert.doesNotMatch(closed.stdout, /\u001B/);
    for (const script of [
      `${commandLine()} >&-`,
      `${commandLine('snapshot', '--json')} >&-`,
      `${commandLine()} >/dev/full`,
    ]) {
      const { code, signal, stderr } = await shell(script);
      assert.equal(signal, null, script);
      assert.notEqual(code, null, script);
      assert.doesNotMatch(stderr, /\n +at /, script);
    }
    for (const script of [
      `{ ${commandLine('snapshot', '--json')}; echo "code $?" >&2; } | head -c 1`,
      `{ ${commandLine('watch')}; echo "code $?" >&2; } | head -c 0`,
    ]) {
      if (script.includes('watch')) setTimeout(() => void lab().restart('web'), 3000);
      const { stderr } = await shell(script);
      assert.match(stderr, /^code (0|141)\n$/, script);
    }
  });

  test('shows a plain user and one of the docker group what they may see, and why not the rest', async () => {
    const home = { HOME: '/nonexistent', XDG_STATE_HOME: undefined };
    const open = async (prefix: string[], act: (terminal: Terminal) => Promise<void>) => {
      const terminal = await Terminal.open(lab(), [...prefix, ...netdash()], { columns: 180, rows: 40, env: home });
      try {
        await act(terminal);
        await terminal.quit();
      } finally {
        await terminal.abandon();
      }
    };
    await open(as('--clear-groups'), async terminal => {
      await terminal.until(/not root/);
      await terminal.until(/docker ✗/);
      terminal.type('3');
      await terminal.until(/8080/);
    });
    await lab().inHost(['sh', '-c', `chgrp 4242 ${lab().socket}; chmod 660 ${lab().socket}; chmod 755 ${lab().dir}`]);
    await open(as('--groups', '4242'), async terminal => {
      await terminal.until(/web .*running/);
      await terminal.until(/netfilter ✗/);
      terminal.type('5');
      await terminal.until(/root|CAP_NET_ADMIN/);
    });
  });
});
