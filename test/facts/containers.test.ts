import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHostPort, publishedPorts, requestedPorts } from '../../source/facts/containers.ts';
import { joinFacts } from '../../source/facts/join.ts';
import { container, inside, now, port, socket } from './build.ts';
import { dockerWith } from './judging.ts';

test('host ports as Docker writes them', () => {
  assert.equal(parseHostPort(''), null);
  assert.equal(parseHostPort('0'), null);
  assert.equal(parseHostPort('8080'), 8080);
  assert.equal(parseHostPort('8080-8080'), 8080);
  assert.deepEqual(parseHostPort('8000-8010'), { from: 8000, to: 8010 });
  assert.equal(parseHostPort('http'), undefined);
});

test('-P asks for each exposed port that has no binding of its own', () => {
  const subject = container('c', {
    publishAllPorts: true,
    exposedPorts: [
      { proto: 'tcp', port: 80 },
      { proto: 'udp', port: 80 },
      { proto: 'tcp', port: 443 },
    ],
    requestedPorts: [port('8443', 443)],
  });
  assert.deepEqual(requestedPorts(subject).ports, [
    { proto: 'tcp', hostIp: '', hostPort: 8443, containerPort: 443 },
    { proto: 'tcp', hostIp: '', hostPort: null, containerPort: 80 },
    { proto: 'udp', hostIp: '', hostPort: null, containerPort: 80 },
  ]);
});

test('a port is ephemeral when none was asked for; one of a range was', () => {
  const subject = container('c', {
    requestedPorts: [port('', 80), port('9000', 80), port('7000-7005', 81)],
    publishedPorts: [
      port('32768', 80, { hostIp: '0.0.0.0' }),
      port('9000', 80, { hostIp: '0.0.0.0' }),
      port('7002', 81, { hostIp: '0.0.0.0' }),
    ],
  });
  const { ports } = publishedPorts(subject, requestedPorts(subject).ports);
  assert.deepEqual(
    ports.map(item => [item.hostPort, item.ephemeral]),
    [
      [32768, true],
      [9000, false],
      [7002, false],
    ],
  );
});

test('routed ports are told apart from those that the host has', () => {
  const of = container('c', {
    publishedPorts: [port('8080', 80, { hostIp: '::' }), port('', 80, { hostIp: '0.0.0.0' })],
  });
  const readings = dockerWith({ containers: [of] });
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  const [facts] = joinFacts(readings, { now, host }).containers;
  assert.deepEqual(facts?.routedPorts, [{ proto: 'tcp', hostIp: '0.0.0.0', containerPort: 80 }]);
  assert.deepEqual(
    facts.publishedPorts.map(({ hostIp, hostPort }) => [hostIp, hostPort]),
    [['::', 8080]],
  );
});

test('mappings of a container that does not run are stale; entries without a host port are routed', () => {
  const mapped = [port('8080', 80, { hostIp: '0.0.0.0' }), port('', 81, { hostIp: '0.0.0.0' })];
  assert.deepEqual(publishedPorts(container('c', { state: 'exited', publishedPorts: mapped }), []).ports, []);
  const { ports, routed } = publishedPorts(container('c', { state: 'paused', publishedPorts: mapped }), []);
  assert.deepEqual([ports.length, routed.length], [1, 1]);
});

/** Two listeners, of one of which is known who has it open. */
const sockets = (found: number) =>
  [80, 81].map(number =>
    socket('0.0.0.0', number, {
      inode: number,
      ...(number === found && { processes: [{ pid: 900 + number, name: 'httpd', fd: 3 }] }),
    }),
  );

test('in a netns that two containers share, a listener is that one’s among whose processes it was found', () => {
  const maker = container('maker');
  const joiner = container('joiner', { networkMode: `container:${maker.id}` });
  const of = (found: { maker: number; joiner: number }) => ({
    ...dockerWith({ containers: [maker, joiner] }),
    inside: {
      ...inside(maker, [], { netns: 77, listeners: sockets(found.maker), openersSought: true }),
      ...inside(joiner, [], { netns: 77, listeners: sockets(found.joiner), openersSought: true }),
    },
  });
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  for (const { listeners } of joinFacts(of({ maker: 80, joiner: 81 }), { now, host }).containers) {
    assert.deepEqual(
      listeners?.map(({ port: number, owner, process }) => [number, owner.containerName, process]),
      [
        [80, 'maker', 'httpd'],
        [81, 'joiner', 'httpd'],
      ],
    );
  }
  const [first] = joinFacts(of({ maker: 80, joiner: 0 }), { now, host }).containers;
  assert.match(first?.listeners?.[1]?.unknown?.['pid'] ?? '', /^no process of maker, joiner /);
});
