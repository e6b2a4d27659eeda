/** trackPorts against a plain model of Docker: any sequence of what can happen, read at any moments. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { array, assert as check, constantFrom, integer, property } from 'fast-check';
import type { DockerEvent } from '../../source/host/host.ts';
import type { ContainerReading } from '../../source/host/readings.ts';
import { emptyLedger, openLedger, trackPorts, type Ledger } from '../../source/facts/port-changes.ts';
import type { PortChange } from '../../source/facts/schema.ts';
import { container, docker, now, port } from './build.ts';

/** What can happen to the container called `web`, and `read`: netdash looks. `rerun`: netdash is ended and started again. */
const actions = [
  'restart',
  'stop',
  'start',
  'crash',
  'recreate',
  'reconnect',
  'daemon',
  'rename',
  'read',
  'read',
  'rerun',
] as const;
type Action = (typeof actions)[number];

/** Docker, as far as ports are concerned: each start gives the next port. */
class Model {
  clock = now;
  nextPort = 32_768;
  serial = 0;
  id = '';
  name = 'web';
  ports: number[] = [];
  isUp = false;
  startedAt: number | undefined;
  restartCount = 0;
  events = new Map<string, DockerEvent[]>();
  daemonRestarts: number[] = [];
  /** What made the present ports, for the cause that is to be reported. */
  cause: PortChange['cause'] | undefined;
  readonly bindings: number;

  constructor(bindings: number) {
    this.bindings = bindings;
    this.create();
  }

  private emit(...names: string[]): void {
    const told = this.events.get(this.id) ?? [];
    for (const action of names)
      told.push({ type: 'container', action, id: this.id, at: this.clock, attributes: { name: this.name } });
    this.events.set(this.id, told);
  }

  private allocate(): void {
    this.ports = Array.from({ length: this.bindings }, () => this.nextPort++);
  }

  private create(): void {
    this.serial += 1;
    this.id = this.serial.toString(16).padStart(64, '0');
    this.restartCount = 0;
    this.up();
  }

  private up(): void {
    this.isUp = true;
    this.startedAt = this.clock;
    this.allocate();
    this.emit('start');
  }

  private down(...names: string[]): void {
    this.isUp = false;
    this.emit(...names);
  }

  /** Does it where it can be done; false where not (a stopped container cannot crash). */
  do(action: Action): boolean {
    this.clock += 20_000;
    switch (action) {
      case 'restart':
        if (this.isUp) this.down('kill', 'die', 'stop');
        this.up();
        this.emit('restart');
        this.cause = 'restart';
        return true;
      case 'stop':
        if (!this.isUp) return false;
        this.down('kill', 'stop', 'die');
        return true;
      case 'start':
        if (this.isUp) return false;
        this.up();
        this.cause = 'stop-start';
        return true;
      case 'crash':
        if (!this.isUp) return false;
        this.down('die');
        this.restartCount += 1;
        this.up();
        this.cause = 'crash';
        return true;
      case 'recreate':
        if (this.isUp) this.down('kill', 'die');
        this.create();
        this.cause = 'recreate';
        return true;
      case 'reconnect':
        if (!this.isUp) return false;
        this.allocate();
        this.cause = 'network-change';
        return true;
      case 'daemon':
        if (!this.isUp) return false;
        this.down('kill', 'die');
        this.up();
        this.daemonRestarts.push(this.clock + 50);
        this.cause = 'daemon-restart';
        return true;
      case 'rename':
        this.name = this.name === 'web' ? 'other' : 'web';
        this.emit('rename');
        return true;
      case 'read':
      case 'rerun':
    }
    return false;
  }

  reading(): ContainerReading {
    return container(this.name, {
      id: this.id,
      state: this.isUp ? 'running' : 'exited',
      startedAt: this.startedAt,
      restartCount: this.restartCount,
      restartPolicy: 'always',
      inspectedAt: this.clock + 100,
      requestedPorts: Array.from({ length: this.bindings }, () => port('', 80)),
      publishedPorts: this.isUp
        ? this.ports.flatMap(number => [
            port(String(number), 80, { hostIp: '0.0.0.0' }),
            port(String(number), 80, { hostIp: '::' }),
          ])
        : [],
    });
  }
}

it('reports each port that it can see moving once, with the right numbers, and the right cause when one thing happened', () => {
  check(
    property(array(constantFrom(...actions), { maxLength: 30 }), integer({ min: 1, max: 3 }), (script, bindings) => {
      const model = new Model(bindings);
      let ledger: Ledger = emptyLedger;
      let seen: number[] | undefined;
      let happened = 0;
      let isAway = false;
      let readName = model.name;
      let readId = model.id;
      for (const action of script) {
        if (action === 'rerun') {
          const opened = openLedger(JSON.parse(JSON.stringify(ledger)));
          assert.ok(opened);
          ledger = opened;
          isAway = true;
          // A rename that no netdash saw would hide what a recreated container was made in place of.
          model.name = readName;
          // What happened while no netdash ran cannot be told from events.
          model.events.clear();
          continue;
        }
        // A container that was recreated and renamed before anybody looked is somebody else.
        if (action === 'rename' && (isAway || model.id !== readId)) continue;
        if (action !== 'read') {
          if (model.do(action) && action !== 'rename' && action !== 'stop') happened += 1;
          continue;
        }
        const hints = { events: model.events, daemonRestarts: model.daemonRestarts, following: true };
        const step = trackPorts(ledger, docker({ containers: [model.reading()] }), hints, model.clock + 10_000);
        ledger = step.ledger;
        readName = model.name;
        readId = model.id;
        if (!model.isUp) {
          assert.deepEqual(step.changes, []);
          isAway = false;
          continue;
        }
        const hasMoved = seen !== undefined && seen[0] !== model.ports[0];
        assert.equal(step.changes.length, hasMoved ? bindings : 0);
        for (const [i, change] of step.changes.entries()) {
          assert.deepEqual(
            change.from.map(side => side.hostPort),
            [seen?.[i], seen?.[i]],
          );
          assert.deepEqual(
            change.to.map(side => side.hostPort),
            [model.ports[i], model.ports[i]],
          );
          if (isAway) assert.equal(change.cause, 'while-away');
          else if (happened === 1) assert.equal(change.cause, model.cause);
        }
        const again = trackPorts(ledger, docker({ containers: [model.reading()] }), hints, model.clock + 11_000);
        assert.deepEqual(again.changes, []);
        assert.equal(again.ledger, ledger);
        seen = model.ports;
        happened = 0;
        isAway = false;
      }
    }),
    { numRuns: 1000 },
  );
});
