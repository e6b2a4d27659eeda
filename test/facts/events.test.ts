import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Heard } from '../../source/facts/container-events.ts';
import { diffEvents } from '../../source/facts/events.ts';
import { joinFacts } from '../../source/facts/join.ts';
import type { Finding, PortChange, Snapshot } from '../../source/facts/schema.ts';
import type { DockerEvent } from '../../source/host/host.ts';
import type { ContainerReading, Readings } from '../../source/host/readings.ts';
import { container, docker, endpoint, link, network, now, ok, port, proxy, readings, socket, veth } from './build.ts';

function shot(of: Readings, rest: Partial<Snapshot> = {}, at = now): Snapshot {
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  return { ...joinFacts(of, { now: at, host }), findings: [], portChanges: [], ...rest };
}
const told = (before: Snapshot | undefined, after: Snapshot) =>
  diffEvents(before, after).map(({ type, text }) => `${type}: ${text}`);
const withContainers = (...containers: ContainerReading[]) =>
  shot(readings({ docker: ok(docker({ containers })) }), {}, now + 1000);
const web = (rest: Partial<ContainerReading> = {}) => container('web', { pid: 42, startedAt: now - 5000, ...rest });

/** An event of the container web at so many ms from now. */
const ofWeb = (action: string, at: number): DockerEvent => ({
  type: 'container',
  action,
  id: web().id,
  attributes: {},
  at: now + at,
});
/** One of a network, with the container web. */
const ofNetwork = (action: string, at: number, name = 'app'): DockerEvent => ({
  type: 'network',
  action,
  id: 'net',
  attributes: { container: web().id, name },
  at: now + at,
});
const off = (at: number, name = 'bridge') => ofNetwork('disconnect', at, name);
const timesOf = (...args: Parameters<typeof diffEvents>) => diffEvents(...args).map(({ at }) => Date.parse(at) - now);

describe('diffEvents', () => {
  it('tells nothing of the first snapshot, nor of two that say the same', () => {
    assert.deepEqual(told(undefined, withContainers(web())), []);
    assert.deepEqual(told(withContainers(web()), withContainers(web())), []);
  });

  it('tells what became of containers', () => {
    const none = withContainers();
    const up = withContainers(web());
    const down = withContainers(web({ state: 'exited', exitCode: 3, finishedAt: now }));
    assert.deepEqual(told(none, up), ['container-created: web created (web:1)', 'container-started: web started']);
    assert.deepEqual(told(up, down), ['container-died: web exited with 3']);
    assert.deepEqual(told(down, withContainers(web({ startedAt: now + 500 }))), ['container-started: web started']);
    assert.deepEqual(told(up, withContainers(web({ startedAt: now + 500, finishedAt: now + 400 }))), [
      'container-died: web exited, its exit code was not seen',
      'container-started: web started',
    ]);
    assert.deepEqual(told(up, none), [
      'container-died: web exited, its exit code was not seen',
      'container-removed: web removed',
    ]);
    assert.deepEqual(told(down, none), ['container-removed: web removed']);
    assert.deepEqual(told(up, withContainers(web({ name: 'site' }))), ['container-renamed: web is now called site']);
    assert.deepEqual(told(up, withContainers(web({ state: 'paused' }))), ['container-paused: web paused']);
    assert.deepEqual(told(withContainers(web({ state: 'paused' })), up), ['container-unpaused: web unpaused']);
    const failed = withContainers(web({ state: 'created', error: 'port is already allocated', exitCode: 128 }));
    assert.deepEqual(told(withContainers(web({ state: 'created' })), failed), [
      'start-failed: web did not start: port is already allocated',
    ]);
    const two = withContainers(web({ endpoints: [endpoint('bridge'), endpoint('app')] }));
    assert.deepEqual(told(up, two), ['network-connected: web connected to network app']);
    assert.deepEqual(told(two, up), ['network-disconnected: web disconnected from network app']);
  });

  it('takes exit codes and times from the event stream where no answer has them any more', () => {
    const die = { type: 'container', action: 'die', id: web().id, attributes: { exitCode: '137' }, at: now + 300 };
    const destroy = { ...die, action: 'destroy', attributes: {}, at: now + 400 };
    // Of an earlier run.
    const earlier = { ...die, attributes: { exitCode: '7' }, at: now - 6000 };
    const heard = { events: new Map([[web().id, [earlier, die, destroy]]]) };
    const up = withContainers(web());
    const lines = (after: Snapshot) =>
      diffEvents(up, after, undefined, heard).map(({ at, text }) => `${Date.parse(at) - now} ${text}`);
    assert.deepEqual(lines(withContainers()), ['300 web exited with 137', '400 web removed']);
    assert.deepEqual(lines(withContainers(web({ startedAt: now + 500, finishedAt: now + 310 }))), [
      '310 web exited with 137',
      '500 web started',
    ]);
  });

  it('takes the times of renames and creations from the event stream, and names things as they were called then', () => {
    const { id } = web();
    const event = (action: string, at: number, attributes: Record<string, string> = {}) => ({
      type: 'container',
      action,
      id,
      attributes,
      at: now + at,
    });
    const rename = (oldName: string, name: string, at: number) => event('rename', at, { oldName: `/${oldName}`, name });
    const lines = (before: Snapshot, after: Snapshot, events: DockerEvent[], rest: Partial<Heard> = {}) =>
      diffEvents(before, after, undefined, { events: new Map([[id, events]]), ...rest }).map(
        ({ at, text }) => `${Date.parse(at) - now} ${text}`,
      );
    const up = withContainers(web());
    const again = { startedAt: now + 500, finishedAt: now + 400 };
    const site = withContainers(web({ name: 'site', ...again }));
    const ended = '400 web exited, its exit code was not seen';
    assert.deepEqual(lines(up, site, [rename('web', 'site', 300)]), [
      '300 web is now called site',
      '400 site exited, its exit code was not seen',
      '500 site started',
    ]);
    assert.deepEqual(lines(up, site, [rename('web', 'passing', 450), rename('passing', 'site', 600)]), [
      ended,
      '450 web is now called passing',
      '500 passing started',
      '600 passing is now called site',
    ]);
    const seen = ['400 site exited, its exit code was not seen', '500 site started', '1000 web is now called site'];
    // Of an earlier time at which it was called so, the way back from there being missing or not.
    assert.deepEqual(lines(up, site, [rename('web', 'site', -9000), rename('site', 'web', -8000)]), seen);
    assert.deepEqual(lines(up, site, [rename('web', 'site', -9000)], { cutAt: now - 9000 }), seen);
    assert.deepEqual(lines(up, site, [rename('other', 'site', 300)]), seen);

    const none = withContainers();
    const destroy = event('destroy', 700);
    assert.deepEqual(lines(up, none, [event('die', 100), rename('web', 'web-old', 300), destroy]), [
      '100 web exited, its exit code was not seen',
      '300 web is now called web-old',
      '700 web-old removed',
    ]);
    assert.deepEqual(lines(up, none, [rename('other', 'site', 300), destroy]).slice(0, 1), ['700 web removed']);
    const made = withContainers(web({ startedAt: now + 500 }));
    assert.deepEqual(lines(none, made, [event('create', 200)]), ['200 web created (web:1)', '500 web started']);
    assert.deepEqual(lines(none, made, [], { createdAt: () => now - 700 }), [
      '-700 web created (web:1)',
      '500 web started',
    ]);
    assert.deepEqual(lines(none, made, [], { createdAt: () => now + 900 }), [
      '500 web created (web:1)',
      '500 web started',
    ]);
  });

  it('takes the times of pauses and of networks from the event stream, where its last word is that very thing', () => {
    const { id } = web();
    const up = withContainers(web());
    const paused = withContainers(web({ state: 'paused' }));
    const both = withContainers(web({ endpoints: [endpoint('bridge'), endpoint('app')] }));
    const at = (before: Snapshot, after: Snapshot, events: DockerEvent[], rest: Partial<Heard> = {}) =>
      timesOf(before, after, undefined, { events: new Map([[id, events]]), ...rest });
    const seen = 1000;
    const twice = [ofWeb('pause', 100), ofWeb('unpause', 200), ofWeb('pause', 300)];
    assert.deepEqual(at(up, paused, twice), [300]);
    assert.deepEqual(at(paused, up, twice.slice(0, 2)), [200]);
    // The word of it is still to come, or was not heard.
    assert.deepEqual(at(up, paused, twice.slice(0, 2)), [seen]);
    assert.deepEqual(at(up, paused, [ofWeb('pause', 100)], { cutAt: now + 150 }), [seen]);
    const hung = [ofNetwork('connect', 300), ofNetwork('connect', 400, 'other')];
    assert.deepEqual(at(up, both, hung), [300]);
    assert.deepEqual(at(both, up, [...hung, ofNetwork('disconnect', 500)]), [500]);
    assert.deepEqual(at(both, up, hung), [seen]);

    const made = network('app');
    const without = shot(readings({ docker: ok(docker({ networks: [] })) }), {}, now + seen);
    const withIt = shot(readings({ docker: ok(docker({ networks: [made] })) }), {}, now + seen);
    const saying = (action: string) => ({
      events: new Map([[made.id, [{ ...ofNetwork(action, 250), id: made.id }]]]),
    });
    assert.deepEqual(timesOf(without, withIt, undefined, saying('create')), [250]);
    assert.deepEqual(timesOf(withIt, without, undefined, saying('destroy')), [250]);
    assert.deepEqual(timesOf(withIt, without, undefined, saying('create')), [seen]);
  });

  it('takes the time of a failed start from the word that the container was taken off its network again', () => {
    const { id } = web();
    const seen = 1000;
    const made = web({ state: 'created' });
    const ended = web({ state: 'exited', exitCode: 137, finishedAt: now + 100 });
    const failure = { error: 'port is already allocated', exitCode: 128 };
    const at = (before: ContainerReading | undefined, after: ContainerReading, events: DockerEvent[], rest = {}) =>
      diffEvents(before === undefined ? withContainers() : withContainers(before), withContainers(after), undefined, {
        events: new Map([[id, events]]),
        ...rest,
      })
        .filter(({ type }) => type === 'start-failed')
        .map(({ at: time }) => Date.parse(time) - now);
    const { startedAt: _, ...never } = made;
    assert.deepEqual(at(never, { ...never, ...failure }, [off(200), off(300)]), [300]);
    assert.deepEqual(at(undefined, { ...never, ...failure }, [off(200)]), [200]);
    // Of an earlier failure, of another network, of a time before the stream was cut; Docker 29 says nothing.
    assert.deepEqual(at(never, { ...never, ...failure }, [off(200)], { lookedAt: () => now + 250 }), [seen]);
    assert.deepEqual(at(never, { ...never, ...failure }, [off(200, 'app')]), [seen]);
    assert.deepEqual(at(never, { ...never, ...failure }, [off(200)], { cutAt: now + 200 }), [seen]);
    assert.deepEqual(at(never, { ...never, ...failure }, []), [seen]);
    // The first word after the end of a run is that of the end.
    assert.deepEqual(at(ended, { ...ended, ...failure }, [off(150), off(300)]), [300]);
    assert.deepEqual(at(ended, { ...ended, ...failure }, [off(150)]), [seen]);
    assert.deepEqual(at(ended, { ...ended, ...failure }, [off(80_000)]), [80_000]);
  });

  it('puts times on them by what Docker says, oldest first', () => {
    const after = withContainers(web({ startedAt: now + 500, finishedAt: now + 400 }));
    const at = diffEvents(withContainers(web()), after).map(event => Date.parse(event.at));
    assert.deepEqual(at, [now + 400, now + 500]);
  });

  it('tells of listeners, the two families of a docker-proxy as one', () => {
    const before = shot(readings());
    const of = web({
      publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' }), port('8080', 80, { hostIp: '::' })],
      endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
    });
    const sockets = [
      socket('0.0.0.0', 8080, { processes: [{ pid: 1, name: 'docker-proxy' }] }),
      socket('::', 8080, { v6only: true, processes: [{ pid: 2, name: 'docker-proxy' }] }),
      socket('127.0.0.1', 53, { proto: 'udp' }),
    ];
    const after = shot(
      readings({
        docker: ok(docker({ containers: [of] })),
        sockets: ok({ listeners: sockets, holding: [] }),
        processes: ok({
          processes: {},
          proxies: [proxy(1, '0.0.0.0', 8080, '172.17.0.2', 80), proxy(2, '::', 8080, '172.17.0.2', 80)],
        }),
      }),
    );
    const opened = told(before, after).filter(text => text.startsWith('listener'));
    assert.equal(opened.length, 2);
    assert.match(opened.join('\n'), /0\.0\.0\.0 and \[::\]:8080\/tcp opened by container web/);
    const closed = diffEvents(after, before).filter(({ type }) => type === 'listener-closed');
    assert.equal(closed.length, 2);
  });

  it('tells of networks, links and rules, with counts', () => {
    const before = shot(readings());
    const links = ok({ links: [link(1, 'lo'), link(2, 'eth0'), veth(9, 2, 0)], routes: [], traffic: {} });
    const after = shot(readings({ docker: ok(docker({ networks: [network('app')] })), links }));
    assert.deepEqual(told(before, after), [
      'network-created: network app (bridge) created',
      'links-changed: links: + veth9 on docker0',
    ]);
    // A veth that is among the interfaces as well, as while a container starts, is one link.
    const [link9] = after.links;
    const [eth0] = after.interfaces.filter(({ name }) => name === 'eth0');
    assert.ok(link9 && eth0);
    const { bridge, ...loose } = link9;
    assert.equal(bridge, 'docker0');
    const starting: Snapshot = {
      ...after,
      links: [loose],
      interfaces: [...after.interfaces, { ...eth0, name: 'veth9', up: false }],
    };
    assert.deepEqual(
      diffEvents({ ...before, networks: after.networks }, starting).map(({ text }) => text),
      ['links: + veth9 (down)'],
    );
    assert.deepEqual(
      diffEvents(starting, after).map(({ text }) => text),
      ['links: now veth9 on docker0'],
    );
    assert.deepEqual(
      diffEvents(starting, { ...after, links: [] }).map(({ text }) => text),
      ['links: - veth9 (down)'],
    );
    const rule = {
      backend: 'iptables-nft' as const,
      family: 'ip' as const,
      table: 'nat',
      chain: 'DOCKER',
      number: 1,
      text: '-A DOCKER -j RETURN',
      action: 'return',
      author: 'docker' as const,
      containerIds: [],
      networkIds: [],
    };
    const counted = { ...before, rules: [{ ...rule, packets: 1 }] };
    assert.deepEqual(told({ ...before, rules: [rule] }, counted), []);
    assert.deepEqual(told({ ...before, rules: [] }, { ...before, rules: [rule, { ...rule, number: 2 }] }), [
      'rules-changed: netfilter rules: 2 added (DOCKER)',
    ]);
  });

  it('tells of port changes and findings once', () => {
    const before = shot(readings());
    const change: PortChange = {
      at: new Date(now).toISOString(),
      containerId: 'a',
      containerName: 'web',
      proto: 'tcp',
      containerPort: 80,
      from: [
        { hostIp: '0.0.0.0', hostPort: 1 },
        { hostIp: '::', hostPort: 1 },
      ],
      to: [
        { hostIp: '0.0.0.0', hostPort: 2 },
        { hostIp: '::', hostPort: 3 },
      ],
      cause: 'restart',
    };
    const finding: Finding = {
      id: 'x:host:y',
      code: 'x',
      severity: 'error',
      subject: { kind: 'host', name: 'y' },
      message: 'bad',
      evidence: [],
      containerIds: [],
      ports: [],
      since: change.at,
    };
    const after = { ...before, portChanges: [change], findings: [finding] };
    assert.deepEqual(told(before, after), [
      'port-changed: web 80/tcp: 1 → 0.0.0.0:2 [::]:3 (restart)',
      'finding-raised: x: bad',
    ]);
    assert.deepEqual(
      told(after, { ...after, findings: [{ ...finding, stale: true }], portChanges: [{ ...change }] }),
      [],
    );
    assert.deepEqual(told(after, { ...after, findings: [] }), ['finding-cleared: no longer x: y']);
    // Of the container that took the place of another.
    const ofWebAlone = { ...finding, subject: { kind: 'container' as const, id: web().id, name: 'web' } };
    const up = { ...withContainers(web()), findings: [ofWebAlone] };
    assert.deepEqual(told(up, { ...up, findings: [] }), ['finding-cleared: no longer x: web']);
    assert.deepEqual(told({ ...up, containers: [] }, { ...up, containers: [], findings: [] }), [
      'finding-cleared: no longer x: web (removed)',
    ]);
    const ofGone = { ...up, containers: [], findings: [{ ...ofWebAlone, containerIds: [web().id] }] };
    const [gone] = diffEvents(ofGone, { ...ofGone, findings: [] });
    assert.deepEqual([gone?.containerId, gone?.containerName], [web().id, 'web']);
    const anew = { ...finding, id: 'x:host:y:2', message: 'bad again' };
    assert.deepEqual(told(after, { ...after, findings: [anew] }), [
      'finding-cleared: no longer x: y',
      'finding-raised: x: bad again',
    ]);
  });

  it('takes the loss of a source for what it is, and its return too', () => {
    const up = withContainers(web());
    const lost = shot(
      readings({ docker: { state: 'failed', reason: 'refused' }, sockets: { state: 'failed', reason: 'denied' } }),
    );
    assert.deepEqual(told(up, lost), [
      'source-failed: docker cannot be read: refused',
      'source-failed: sockets cannot be read: denied',
    ]);
    assert.deepEqual(told(lost, up), [
      'source-recovered: docker can be read again',
      'source-recovered: sockets can be read again',
    ]);
  });
});
