/** What a user without rights sees is what root sees, or unknown with the reason: never something else. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as v from 'valibot';
import { SnapshotSchema, type Snapshot } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash, takeSnapshot } from './netdash.ts';

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs'];

async function asNobody(lab: Lab): Promise<{ snapshot: Snapshot; text: string }> {
  const home = ['env', 'HOME=/nonexistent', 'XDG_STATE_HOME='];
  const { code, stdout, stderr } = await lab.inHost([...nobody, ...home, ...netdash('snapshot', '--json')]);
  assert.equal(code, 0, stderr);
  const { stdout: text } = await lab.inHost([...nobody, ...home, ...netdash('snapshot')]);
  return { snapshot: v.parse(SnapshotSchema, JSON.parse(stdout)), text };
}

const hasReason = (object: { unknown?: Record<string, string> }, field: string, what: string): void =>
  assert.ok((object.unknown?.[field] ?? '') !== '', `${what}: nothing says why ${field} is not known`);

/** Compares what both say of the host itself. */
function sameHost(seen: Snapshot, root: Snapshot): void {
  const listeners = seen.listeners ?? assert.fail('listeners are world-readable');
  for (const theirs of root.listeners ?? []) {
    const what = `${theirs.proto} ${theirs.address} ${theirs.port}`;
    const ours = listeners.find(row => `${row.proto} ${row.address} ${row.port}` === what);
    assert.ok(ours, `no row for ${what}`);
    if (ours.pid === null) hasReason(ours, 'pid', what);
    else assert.equal(ours.pid, theirs.pid, what);
    if (ours.owner.kind === 'unknown') assert.ok(ours.owner.reason, what);
    else if (seen.host.docker) assert.equal(ours.owner.containerName, theirs.owner.containerName, what);
    else assert.ok(ours.owner.containerName === undefined && (ours.owner.kind !== 'docker' || ours.owner.reason), what);
  }
  for (const theirs of root.links.filter(link => link.containerId)) {
    const ours = seen.links.find(link => link.veth === theirs.veth) ?? assert.fail(`no row for ${theirs.veth}`);
    if (ours.containerId === undefined) hasReason(ours, 'containerId', theirs.veth);
    else assert.equal(ours.containerId, theirs.containerId, theirs.veth);
  }
  assert.equal(seen.rules, null);
  assert.equal(seen.sources['netfilter']?.state, 'failed');
  assert.match(seen.sources['netfilter']?.reason ?? '', /root|CAP_NET_ADMIN/);
  assert.equal(seen.host.forwardPolicy.v4, null);
  assert.equal(seen.host.ipForward.v4, root.host.ipForward.v4);
  for (const finding of seen.findings) {
    assert.ok(
      root.findings.some(({ id }) => id === finding.id),
      `only without rights: ${finding.id} ${finding.message}`,
    );
  }
}

describeLab('without rights', { seed: 'mission' }, lab => {
  // What crashes over and over is another thing in each of two snapshots.
  before(() => lab().remove('crash'));

  test('and without Docker, what the kernel tells everyone is there, the rest says why it is not', async () => {
    const { snapshot, text } = await asNobody(lab());
    const root = await takeSnapshot(lab());
    assert.equal(snapshot.sources['docker']?.state, 'failed');
    assert.match(snapshot.sources['docker']?.reason ?? '', /permission denied.*docker/i);
    assert.equal(snapshot.host.docker, null);
    assert.equal(snapshot.host.containersTotal, null);
    sameHost(snapshot, root);
    assert.doesNotMatch(text, /CONTAINERS \(0\)/);
  });

  test('but with Docker, containers are known, and what is inside them is not', async () => {
    const opened = await lab().inHost(['chmod', '666', lab().socket]);
    assert.equal(opened.code, 0, opened.stderr);
    // The later look is the one by which every finding is due.
    const { snapshot } = await asNobody(lab());
    const root = await takeSnapshot(lab());
    await lab().inHost(['chmod', '660', lab().socket]);
    sameHost(snapshot, root);
    for (const theirs of root.containers) {
      const ours = snapshot.containers.find(({ id }) => id === theirs.id) ?? assert.fail(`${theirs.name} is missing`);
      assert.equal(ours.networkMode, theirs.networkMode);
      assert.deepEqual(ours.publishedPorts, theirs.publishedPorts);
      for (const endpoint of theirs.endpoints.filter(({ veth }) => veth)) {
        const own = ours.endpoints.find(({ network }) => network === endpoint.network);
        assert.ok(own, `${theirs.name} ${endpoint.network}`);
        if (own.veth === undefined) hasReason(own, 'veth', `${theirs.name} ${endpoint.network}`);
        else assert.equal(own.veth, endpoint.veth);
      }
      if (ours.listeners === null) hasReason(ours, 'listeners', theirs.name);
      else {
        const places = (container: typeof ours) =>
          container.listeners?.map(({ proto, address, port }) => `${proto} ${address} ${port}`).toSorted();
        assert.deepEqual(places(ours), places(theirs), theirs.name);
      }
    }
  });
});
