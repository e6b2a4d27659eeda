import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../source/facts/schema.ts';
import { containerRows, containerTable } from '../../source/present/container-table.ts';
import { parseFilter } from '../../source/present/filter.ts';
import { portRows, portTable } from '../../source/present/port-table.ts';
import { listOf } from '../../source/present/table.ts';
import { sampleSnapshot } from '../ui/sample.ts';

function containers(text: string): string[] {
  const { filter, error } = parseFilter(text, containerTable.fields);
  assert.equal(error, undefined);
  return listOf(containerTable, containerRows(sampleSnapshot()), { filter }).items.map(item => item.cells[0]!.text);
}

test('words match any cell, all of them must', () => {
  assert.deepEqual(containers('shop'), ['shop-api-1', 'shop-db-1']);
  assert.deepEqual(containers('SHOP unhealthy'), ['shop-db-1']);
  assert.deepEqual(containers('nowhere'), []);
  assert.equal(containers('').length, 15);
});

test('fields match their own values: numbers exactly, modes and states from the start', () => {
  assert.deepEqual(containers('port:8080'), ['clash', 'web']);
  assert.deepEqual(containers('port:808'), []);
  assert.deepEqual(containers('port:8000-8999'), ['clash', 'web']);
  assert.deepEqual(containers('mode:host'), ['web1', 'web2']);
  assert.ok(!containers('mode:bridge').includes('shop-api-1'));
  assert.deepEqual(containers('net:shop state:running -name:db'), ['shop-api-1']);
  assert.deepEqual(containers('finding:stranded'), ['sidecar']);
});

test('a field without a value yet asks for nothing', () => {
  assert.equal(containers('port:').length, 15);
  assert.equal(containers('-').length, 15);
});

test('quotes keep spaces together and a minus turns a term round', () => {
  const rows = portRows(sampleSnapshot());
  const { filter } = parseFilter('"sshd 812" -proto:udp', portTable.fields);
  assert.deepEqual(
    listOf(portTable, rows, { filter }).items.map(item => item.copy),
    ['0.0.0.0:22', '[::]:22'],
  );
});

test('what cannot be understood is said, and the rest still filters', () => {
  const unknown = parseFilter('colour:red web', containerTable.fields);
  assert.match(unknown.error!, /no field "colour".*name.*port/);
  assert.equal(unknown.filter.terms.length, 1);
  assert.match(parseFilter('port:http', containerTable.fields).error!, /port: takes a number/);
});

test('members of every object are no fields', () => {
  for (const name of ['constructor', 'toString', 'hasownproperty']) {
    assert.match(parseFilter(`${name}:x`, containerTable.fields).error ?? '', /no field/);
  }
});

test('a port amid a range is found by its number, of what is published and of what is asked for', () => {
  const sample = sampleSnapshot();
  const ports = [7000, 7001, 7002, 7003];
  const change = (container: Container): Container => {
    if (container.name === 'web') {
      const one = container.publishedPorts[0]!;
      return { ...container, publishedPorts: ports.map(each => ({ ...one, hostPort: each, containerPort: each })) };
    }
    const asked = { proto: 'tcp' as const, hostIp: '' };
    return container.name === 'clash'
      ? { ...container, requestedPorts: ports.map(each => ({ ...asked, hostPort: each, containerPort: each })) }
      : container;
  };
  const rows = containerRows({ ...sample, containers: sample.containers.map(change) });
  const found = (text: string) =>
    listOf(containerTable, rows, { filter: parseFilter(text, containerTable.fields).filter }).items.map(
      item => item.cells[0]!.text,
    );
  assert.ok(
    listOf(containerTable, rows).items.some(({ cells }) => cells.some(({ text }) => text === '7000-7003→7000-7003')),
  );
  for (const text of ['7002', 'port:7002', '7000-7003']) assert.deepEqual(found(text), ['clash', 'web'], text);
});
