/** ipsets, from what ipset 7.17 prints on kernel 6.18. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpsets } from '../../../source/host/netfilter/ipset.ts';

const saved = `create a hash:ip family inet hashsize 1024 maxelem 65536 timeout 600 bucketsize 12 initval 0x0eae4859
add a 10.0.0.1 timeout 599
add a 10.0.0.2 timeout 0
create n hash:net family inet6 hashsize 1024 maxelem 65536 counters comment bucketsize 12 initval 0x2a181f59
add n fd00::/64 packets 0 bytes 0 comment "hi there"
add n fd01::/64 packets 0 bytes 0 comment "is nomatch"
create n4 hash:net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x3bc2190b
add n4 10.1.0.0/16 nomatch
add n4 10.0.0.0/8
create p hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xd07164aa
add p 10.0.0.1,udp:53
create l list:set size 8
add l a
`;

test('reads the sets with their elements, and which of them are exceptions', () => {
  assert.deepEqual(
    { ...parseIpsets(saved) },
    {
      a: { type: 'hash:ip', elements: ['10.0.0.1', '10.0.0.2'], exceptions: [] },
      n: { type: 'hash:net', elements: ['fd00::/64', 'fd01::/64'], exceptions: [] },
      n4: { type: 'hash:net', elements: ['10.0.0.0/8'], exceptions: ['10.1.0.0/16'] },
      p: { type: 'hash:ip,port', elements: ['10.0.0.1,udp:53'], exceptions: [] },
      l: { type: 'list:set', elements: ['a'], exceptions: [] },
    },
  );
});

test('passes over what is none of it', () => {
  assert.deepEqual({ ...parseIpsets('\nadd nowhere 10.0.0.1\ncreate\nsomething else\n') }, {});
});
