/** What happens to a host while its operator watches: the dashboard on a real terminal says it, and says when it is over. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { FindingSchema } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash, runJson } from './netdash.ts';
import { Terminal } from './terminal.ts';

/** The findings of the dashboard, on a screen wide enough for their codes. */
async function watchFindings(lab: Lab, act: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = await Terminal.open(lab, netdash(), { columns: 200, rows: 50 });
  try {
    await terminal.until(/vitals ✓[^]*web +● running/);
    terminal.type('fz');
    await terminal.until(/no findings/);
    await act(terminal);
    await terminal.quit();
  } finally {
    await terminal.abandon();
  }
}

async function must(lab: Lab, command: string): Promise<void> {
  const { code, stderr } = await lab.inHost(command.split(' '));
  assert.equal(code, 0, `${command}: ${stderr}`);
}

const vethOf = async (lab: Lab): Promise<string> => {
  const { stdout } = await lab.inHost('ip -o link show type veth master docker0'.split(' '));
  return /^\d+: ([^@:]+)/.exec(stdout)?.[1] ?? assert.fail('no veth on docker0');
};

describe('while the dashboard runs', { concurrency: true }, () => {
  labTest('forwarding switched off, rules flushed, dockerd killed: said and over', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'], restart: 'always' });
    await watchFindings(lab, async terminal => {
      await must(lab, 'sysctl -qw net.ipv4.ip_forward=0');
      await terminal.until(/v4 off[^]*✗ error .*forwarding-off/);
      await must(lab, 'sysctl -qw net.ipv4.ip_forward=1');
      await terminal.until(/v4 on[^]*no findings/);

      // As a script that "resets the firewall" does; what is in use cannot be deleted, which is no matter.
      for (const command of ['iptables -F', 'iptables -X', 'iptables -t nat -F']) await lab.inHost(command.split(' '));
      await terminal.until(/✗ error .*docker-rules-missing/);
      await lab.daemon.stop();
      await terminal.until(/docker ✗/);
      await lab.daemon.start();
      await terminal.until(/docker ✓/);
      await terminal.until(/no findings/);
      assert.ok(await lab.fetchFrom('lan', lab.addresses.host, 8080));

      await lab.daemon.stop('SIGKILL');
      await terminal.until(/docker ✗/);
      // What was known stays on the screen.
      terminal.type('1');
      await terminal.until(/▌ web/);
      await lab.daemon.start();
      await terminal.until(/docker ✓/);
      await terminal.until(/web +● running/);
    });

    // Told to make no rules, it leaves its old chains, and a flush empties them: only Docker 28 says that none are missing.
    await lab.daemon.stop();
    await lab.daemon.start(undefined, { iptables: false, ip6tables: false });
    for (const command of ['iptables -F', 'iptables -t nat -F', 'iptables -t raw -F']) await must(lab, command);
    const { State } = await lab.inspect('web');
    await sleep(Math.max(0, Date.parse(State.StartedAt) + 16_000 - Date.now()));
    assert.ok(await lab.fetchFrom('lan', lab.addresses.host, 8080), 'through docker-proxy');
    const { json } = await runJson(lab, 'doctor');
    const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
    const messages = findings.filter(({ code }) => code === 'docker-rules-missing').map(({ message }) => message);
    assert.equal(messages.length, lab.dockerMajor === 28 ? 0 : 1, messages.join());
    for (const message of messages)
      assert.match(message, /or Docker is told to make no rules.*; the LAN still reaches/);
  });

  labTest('a veth deleted, a rule and a bridge left behind: said and over', {}, async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    await watchFindings(lab, async terminal => {
      await must(lab, `ip link delete ${await vethOf(lab)}`);
      assert.equal(await lab.fetchFrom('lan', lab.addresses.host, 8080), undefined);
      await terminal.until(/✗ error .*web .*has no interface for bridge.*link-missing/);
      await lab.restart('web');
      await terminal.until(/no findings/);
      assert.ok(await lab.fetchFrom('lan', lab.addresses.host, 8080));

      const rule = 'DOCKER ! -i docker0 -p tcp --dport 8099 -j DNAT --to-destination 172.17.0.99:80';
      await must(lab, `iptables -t nat -A ${rule}`);
      await must(lab, 'ip link add br-0123456789ab type bridge');
      await terminal.until(/! warning .*8099.*orphan-rule/);
      await terminal.until(/! warning .*br-0123456789ab.*orphan-link/);
      await must(lab, `iptables -t nat -D ${rule}`);
      await must(lab, 'ip link delete br-0123456789ab');
      await terminal.until(/no findings/);
    });
  });
});
