/** What panes remember must not show: after any changes they list what panes that remember nothing would list. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { LiveView } from '../../source/live/live.ts';
import { lineWidth, itemLine } from '../../source/present/layout.ts';
import { createPanes } from '../../source/ui/panes.ts';
import { paneIds } from '../../source/ui/state.ts';
import { sampleEvents, sampleNow, sampleSnapshot, unreadReach } from './sample.ts';

const firstView = (): LiveView => ({
  snapshot: sampleSnapshot(),
  reach: unreadReach,
  events: sampleEvents,
  ready: true,
});

type Change = (view: LiveView) => LiveView;

const withSnapshot = (view: LiveView, change: Partial<LiveView['snapshot']>): LiveView => ({
  ...view,
  snapshot: { ...view.snapshot, ...change },
});

const nth = (items: readonly unknown[], which: number): number => which % items.length;

const replaced = <T>(items: readonly T[], which: number, change: (item: T) => T): T[] =>
  items.map((item, i) => (i === nth(items, which) ? change(item) : item));

/** Changes that a host can go through between two views. */
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ which: fc.nat(99), rate: fc.nat(2_000_000) }).map(({ which, rate }): Change => view => {
    const { traffic } = view.snapshot;
    const name = Object.keys(traffic)[nth(Object.keys(traffic), which)];
    if (name === undefined) return view;
    return withSnapshot(view, { traffic: { ...traffic, [name]: { ...traffic[name]!, rxBytesPerSecond: rate } } });
  }),
  fc.record({ which: fc.nat(99), name: fc.stringMatching(/^[a-z]{1,30}$/) }).map(
    ({ which, name }): Change =>
      view =>
        withSnapshot(view, { containers: replaced(view.snapshot.containers, which, item => ({ ...item, name })) }),
  ),
  fc.nat(99).map((which): Change => view => {
    const { findings, containers } = view.snapshot;
    if (which % 2 === 0) return withSnapshot(view, { findings: findings.filter((_, i) => i !== nth(findings, which)) });
    return withSnapshot(view, { containers: containers.filter((_, i) => i !== nth(containers, which)) });
  }),
  fc.nat(99).map(
    (which): Change =>
      view =>
        withSnapshot(view, { links: replaced(view.snapshot.links, which, item => ({ ...item, up: !item.up })) }),
  ),
  fc.constant<Change>(view => withSnapshot(view, { containers: view.snapshot.containers.toReversed() })),
  fc.constant<Change>(view => ({ ...view, events: view.events.slice(1) })),
);

test('what panes remember does not show: they list what panes that remember nothing list', () => {
  const steps = fc.array(fc.record({ change: changes, seconds: fc.constantFrom(10, 11, 59, 61, 3599, 90_000) }), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, fc.boolean(), fc.boolean(), (made, stopped, grouped) => {
      const remembering = createPanes();
      let view = firstView();
      let now = sampleNow;
      for (const { change, seconds } of made) {
        now += seconds * 1000;
        view = withSnapshot(change(view), { takenAt: new Date(now).toISOString() });
        const fresh = createPanes();
        for (const id of paneIds) {
          const choice = { filter: '', stopped, grouped };
          const shown = (panes: ReturnType<typeof createPanes>) => {
            const list = panes[id].list(view, choice);
            return list.items.map(item => ({ key: item.key, cells: item.cells.map(({ text, tone }) => [text, tone]) }));
          };
          assert.deepEqual(shown(remembering), shown(fresh), id);
        }
      }
    }),
    { numRuns: 25 },
  );
});

test('columns that were measured before have room for what came since, and no row is wider than its pane', () => {
  fc.assert(
    fc.property(fc.array(changes, { minLength: 1, maxLength: 8 }), fc.integer({ min: 40, max: 200 }), (made, width) => {
      const panes = createPanes();
      let view = firstView();
      for (const change of made) {
        view = change(view);
        for (const id of paneIds) {
          const list = panes[id].list(view, { filter: '', stopped: true, grouped: false });
          const layout = panes[id].layout(list, width);
          const alone = createPanes()[id];
          const wants = alone.layout(list, width).widest;
          for (const [index, widest] of layout.widest.entries()) assert.ok(widest >= wants[index]!, `${id} ${index}`);
          for (const item of list.items) assert.ok(lineWidth(itemLine(list.columns, item, layout)) <= width);
        }
      }
    }),
    { numRuns: 15 },
  );
});

test('columns are as wide as those of panes that remember nothing once what they held is a minute old', () => {
  fc.assert(
    fc.property(fc.array(changes, { minLength: 1, maxLength: 8 }), fc.boolean(), (made, isChanged) => {
      const panes = createPanes();
      let view = firstView();
      for (const [step, change] of made.entries()) {
        const takenAt = new Date(sampleNow + step * 61_000).toISOString();
        view = withSnapshot(isChanged || step === 0 ? change(view) : view, { takenAt });
        for (const id of paneIds) {
          const list = panes[id].list(view, { filter: '', stopped: true, grouped: false });
          assert.deepEqual(panes[id].layout(list, 200).widest, createPanes()[id].layout(list, 200).widest, id);
        }
      }
    }),
    { numRuns: 25 },
  );
});

test('of a row that has only aged, the cells that do not age are not made again', () => {
  const panes = createPanes();
  const choice = { filter: '', stopped: true, grouped: false };
  const cellsAt = (seconds: number) => {
    const takenAt = new Date(sampleNow + seconds * 1000).toISOString();
    const list = panes.containers.list(withSnapshot(firstView(), { takenAt }), choice);
    const item = list.items.find(({ cells }) => cells.some(({ text }) => /^\d+[smhd]/.test(text)))!;
    return { list, item, cells: item.cells };
  };
  const young = cellsAt(0);
  // What it says of a minute later is never asked for.
  panes.containers.list(withSnapshot(firstView(), { takenAt: new Date(sampleNow + 86_400_000).toISOString() }), choice);
  const old = cellsAt(2 * 86_400_000);
  assert.notEqual(old.item, young.item);
  assert.equal(old.item.key, young.item.key);
  const made = old.list.columns.filter((_, index) => old.cells[index] !== young.cells[index]).map(({ id }) => id);
  assert.deepEqual(made, ['note', 'up']);
});

test('rows whose words do not change keep their place in memory when time and other rows move on', () => {
  const panes = createPanes();
  const choice = { filter: '', stopped: true, grouped: false };
  const before = panes.containers.list(firstView(), choice).items;
  const view = withSnapshot(firstView(), { takenAt: new Date(sampleNow + 2000).toISOString() });
  const first = view.snapshot.containers[0]!;
  const renamed = withSnapshot(view, {
    containers: [{ ...first, name: 'renamed' }, ...view.snapshot.containers.slice(1)],
  });
  const after = panes.containers.list(renamed, choice).items;
  const kept = after.filter(item => before.includes(item));
  assert.equal(kept.length, before.length - 1);
  assert.ok(!kept.some(({ key }) => key === first.id));
});

test('projects stand in order of their names, what is of none last, whoever was made anew', () => {
  const [a, b, c] = firstView().snapshot.containers;
  const named = (item: typeof a, name: string, composeProject?: string) => ({ ...item!, name, composeProject });
  const choice = { filter: '', stopped: true, grouped: true };
  for (const containers of [
    [named(a, 'x', 'beta'), named(b, 'y'), named(c, 'z', 'alpha')],
    [named(b, 'y'), named(c, 'z', 'alpha'), named(a, 'x', 'beta')],
  ]) {
    const { items } = createPanes().containers.list(withSnapshot(firstView(), { containers }), choice);
    assert.deepEqual(
      items.map(({ section }) => section),
      ['alpha', 'beta', 'No Compose project'],
    );
  }
});

test('columns give back, after a while, what no row needs any more', () => {
  const panes = createPanes();
  const choice = { filter: '', stopped: true, grouped: false };
  const at = (seconds: number, name: string) => {
    const [first, ...rest] = firstView().snapshot.containers;
    const takenAt = new Date(sampleNow + seconds * 1000).toISOString();
    const list = panes.containers.list(
      withSnapshot(firstView(), { containers: [{ ...first!, name }, ...rest], takenAt }),
      choice,
    );
    return panes.containers.layout(list, 200).widest[0]!;
  };
  const wide = at(0, 'a-name-that-is-really-very-long');
  assert.equal(at(2, 'short'), wide, 'not at once');
  assert.ok(at(65, 'short') < wide);
});

test('an address that Docker remembers of a container that does not run is not shown as one that it has', () => {
  const [first, ...rest] = firstView().snapshot.containers;
  const stopped = {
    ...first!,
    state: 'created' as const,
    endpoints: first!.endpoints.map(each => ({ ...each, ipv4: '10.9.8.7' })),
  };
  const view = withSnapshot(firstView(), { containers: [stopped, ...rest] });
  const list = createPanes().containers.list(view, { filter: '', stopped: true, grouped: false });
  const column = list.columns.findIndex(({ id }) => id === 'address');
  const item = list.items.find(({ key }) => key === stopped.id)!;
  assert.match(item.cells[column]!.text, /^\(10\.9\.8\.7.*\)$/);
  assert.equal(item.cells[column]!.tone, 'dim');
});
