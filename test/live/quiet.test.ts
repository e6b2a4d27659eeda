/** When a source that a monitor watches is read less often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOfLink, Quiet } from '../../source/live/quiet.ts';

test('a source is quiet after a look on the timer alone that found nothing new, until something speaks for a change', () => {
  const quiet = new Quiet();
  const look = (hasNews: boolean): boolean => {
    quiet.begin();
    quiet.read(hasNews);
    return quiet.is;
  };
  assert.equal(look(true), false, 'the first one');
  assert.equal(look(false), true);
  assert.equal(quiet.stir(), true);
  assert.equal(quiet.is, false);
  assert.equal(quiet.stir(), false, 'it was not quiet any more');
  assert.equal(look(false), false, 'the look that was asked for');
  assert.equal(look(false), true);
  quiet.begin();
  quiet.stir();
  quiet.read(false);
  assert.equal(quiet.is, false, 'it may have come too early for what was told while it ran');
  assert.equal(look(false), false);
  assert.equal(look(false), true);
  assert.equal(look(true), false);
});

test('lines of ip monitor are of interfaces, or of routes', () => {
  for (const line of [
    '2: v1@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default ',
    '    link/ether be:d8:df:d1:7d:1a brd ff:ff:ff:ff:ff:ff',
    '3: v0    inet 10.9.0.1/24 scope global v0',
    'Deleted 3: v0    inet 10.9.0.1/24 scope global v0',
    'Deleted 12: veth12@if11: <BROADCAST,MULTICAST> mtu 1500',
    '',
  ])
    assert.ok(isOfLink(line), line);
  for (const line of [
    '10.8.0.0/24 via 10.9.0.2 dev v0 ',
    'Deleted 10.8.0.0/24 via 10.9.0.2 dev v0 ',
    'local fe80::1 dev v0 table local proto kernel metric 0 pref medium',
    'default via 10.9.0.2 dev v0',
    '32765:\tfrom 1.2.3.4 lookup 100',
    'Deleted 32765:\tfrom 1.2.3.4 lookup 100',
  ])
    assert.ok(!isOfLink(line), line);
});
