/** Rules that ask for an ipset. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpsetReading } from '../../../source/host/readings.ts';
import { ask, walkWorld, type HostOptions } from './host.ts';

const set = (type: string, elements: string[], exceptions: string[] = []): IpsetReading => ({
  type,
  elements,
  exceptions,
});

/** The verdict for a neighbour on a published port, with a rule that drops members. */
function word(
  match: string,
  ipsets: Record<string, IpsetReading> | undefined,
  address = '10.77.0.7',
  more: HostOptions = {},
) {
  const rules = [...(more.rules ?? []), ['filter', 'DOCKER-USER', `-i eth0 -m set ${match} -j DROP`] as const];
  const world = walkWorld({
    ...more,
    rules,
    change: same => ({
      ...same,
      netfilter: { ...same.netfilter, value: { ...same.netfilter.value!, ...(ipsets && { ipsets }) } },
    }),
  });
  return ask(world, { kind: 'lan', interface: 'eth0', address }, '10.77.0.100', 8000).verdict;
}

const banned = { bad: set('hash:ip', ['192.0.2.1', '10.77.0.7', '198.51.100.9']) };

describe('an ipset', () => {
  test('that was not read, or is not there, makes a verdict unknown where it counts', () => {
    assert.equal(word('--match-set bad src', undefined), 'unknown');
    assert.equal(word('--match-set gone src', banned), 'unknown');
  });

  test('of addresses is looked into for source or destination, and turned round', () => {
    assert.equal(word('--match-set bad src', banned), 'blocked');
    assert.equal(word('--match-set bad src', banned, '10.77.0.8'), 'reachable');
    assert.equal(word('--match-set bad dst', banned), 'reachable');
    assert.equal(word('! --match-set bad src', banned), 'reachable');
    assert.equal(word('! --match-set bad src', banned, '10.77.0.8'), 'blocked');
  });

  test('of networks lets the longest prefix decide', () => {
    const nets = { bad: set('hash:net', ['10.0.0.0/8', '10.77.0.9'], ['10.77.0.0/24']) };
    assert.equal(word('--match-set bad src', nets, '10.1.0.1'), 'blocked');
    assert.equal(word('--match-set bad src', nets), 'reachable');
    assert.equal(word('--match-set bad src', nets, '10.77.0.9'), 'blocked');
  });

  test('of several parts wants all of them, each in its direction', () => {
    const pairs = { bad: set('hash:ip,port', ['10.77.0.7,tcp:80', '10.77.0.8,udp:80', '10.77.0.9,tcp:81']) };
    assert.equal(word('--match-set bad src,dst', pairs), 'blocked');
    assert.equal(word('--match-set bad src,dst', pairs, '10.77.0.8'), 'reachable');
    assert.equal(word('--match-set bad src,dst', pairs, '10.77.0.9'), 'reachable');
    assert.equal(word('--match-set bad dst,dst', pairs), 'reachable');
    const devices = { bad: set('hash:net,iface', ['10.77.0.0/24,eth0']) };
    assert.equal(word('--match-set bad src,src', devices), 'blocked');
    const macs = { bad: set('hash:ip,mac', ['10.77.0.7,02:00:00:00:00:01']) };
    assert.equal(word('--match-set bad src,src', macs), 'unknown');
    assert.equal(word('--match-set bad dst', { bad: set('bitmap:port', ['22', '80']) }), 'blocked');
  });

  test('of sets is all of them', () => {
    assert.equal(word('--match-set all src', { ...banned, all: set('list:set', ['bad']) }), 'blocked');
    assert.equal(word('--match-set all src', { all: set('list:set', ['gone']) }), 'unknown');
  });

  test('that a rule fills may have more members by now', () => {
    const rules = [['filter', 'INPUT', '-p tcp -m tcp --dport 22 -j SET --add-set bad src']] as const;
    assert.equal(word('--match-set bad src', banned, '10.77.0.8', { rules }), 'unknown');
    assert.equal(word('--match-set bad src', banned, '10.77.0.7', { rules }), 'blocked');
  });
});
