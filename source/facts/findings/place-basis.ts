/**
 * What the answer about one place rests on, by the same rules as what is judged of containers (`reach-basis.ts`), so that a screen
 * which shows many places does not walk to all of them whenever something happens to one container.
 */
import type { Place } from '../exposure.ts';
import type { Container } from '../schema.ts';
import { haveSameItems } from '../sharing.ts';
import { addressesOf, isFresh, ownOf, surroundingsOf, type Moment, type Surroundings } from './reach-basis.ts';

/** The state of things for which a place was judged. The same object as long as that holds. */
export interface PlaceBasis {
  readonly common: string;
  /** Rules and listeners by the ports that the place leads to. */
  readonly own: string;
  /** The containers behind them, what is inside those, and all that names them. */
  readonly objects: readonly unknown[];
  era: number;
  at: number;
}

/** Containers by what leads to them. */
interface Ways {
  byId: ReadonlyMap<string, Container>;
  byPort: ReadonlyMap<number, readonly Container[]>;
  byAddress: ReadonlyMap<string, readonly Container[]>;
}

const push = <K>(map: Map<K, Container[]>, key: K, container: Container): void => {
  const list = map.get(key);
  if (list) list.push(container);
  else map.set(key, [container]);
};

function waysTo(containers: readonly Container[]): Ways {
  const byPort = new Map<number, Container[]>();
  const byAddress = new Map<string, Container[]>();
  for (const container of containers) {
    for (const port of new Set(container.publishedPorts.map(({ hostPort }) => hostPort))) push(byPort, port, container);
    for (const address of new Set(addressesOf(container))) push(byAddress, address, container);
  }
  return { byId: new Map(containers.map(container => [container.id, container])), byPort, byAddress };
}

/** A rule that translates to more ports may lead anywhere. */
const mostPorts = 64;

/** Tells the bases of places at one moment. */
export class PlaceBases {
  readonly #moment: Moment;
  readonly #surroundings: Surroundings;
  readonly #ways: Ways;
  readonly #listeners = new Map<number, Set<string>>();
  /** Whether any place of the host may lead to any container. */
  readonly #isOpen: boolean;

  constructor(moment: Moment) {
    this.#moment = moment;
    this.#surroundings = surroundingsOf(moment);
    const { containers, listeners } = moment.facts;
    this.#ways = waysTo(containers);
    this.#isOpen = this.#surroundings.translations.has('');
    for (const { port, owner, target } of listeners ?? []) {
      const ids = this.#listeners.get(port) ?? new Set<string>();
      this.#listeners.set(port, ids);
      for (const id of [owner.containerId, target?.containerId]) if (id !== undefined) ids.add(id);
    }
  }

  /** The basis of a place: the one of before when nothing in it changed; undefined: it may rest on anything. */
  of(place: Place, before: PlaceBasis | undefined): PlaceBasis | undefined {
    const { common, era } = this.#surroundings;
    const { now } = this.#moment;
    if (this.#isOpen && before?.era !== era.number) return undefined;
    const { own, objects, isWide } = this.#restsOn(place);
    if (isWide && before?.era !== era.number) return undefined;
    const holds =
      before !== undefined &&
      before.common === common &&
      before.own === own &&
      haveSameItems(before.objects, objects) &&
      isFresh(before, era, now);
    return holds ? before : { common, own, objects, era: era.number, at: now };
  }

  #restsOn({ netns, address, port }: Place): Pick<PlaceBasis, 'own' | 'objects'> & { isWide: boolean } {
    const { rules, translations, listeners } = this.#surroundings;
    const ports = new Set([port]);
    const addresses = new Set([address]);
    for (const target of translations.get(`${port}`) ?? []) {
      if ('address' in target && target.address !== undefined) addresses.add(target.address);
      const [from = 0, to = -1] = ('port' in target && target.port) || [];
      for (let each = from; each <= to && ports.size < mostPorts; each += 1) ports.add(each);
    }
    const behind = new Set<Container>();
    const add = (found: readonly (Container | undefined)[] | undefined) =>
      found?.forEach(container => container && behind.add(container));
    if (netns !== undefined) add([this.#ways.byId.get(netns)]);
    for (const each of ports) {
      add(this.#ways.byPort.get(each));
      add([...(this.#listeners.get(each) ?? [])].map(id => this.#ways.byId.get(id)));
    }
    for (const each of addresses) add(this.#ways.byAddress.get(each));
    const keys = new Set([...ports, ...addresses].map(String));
    const owns = [...behind].map(container => ownOf(container, this.#surroundings));
    // The rules of all these keys, in their order, are among those of one container: a thousand ports of one need no thousand copies.
    const isNamed = owns.some(own => [...keys].every(key => own.keys.has(key) || !rules.has(key)));
    const parts = [isNamed ? '' : rules.textOf(keys)];
    for (const each of ports) parts.push(listeners.get(each) ?? '');
    const objects: unknown[] = [];
    for (const container of behind) objects.push(container, this.#moment.readings.inside[container.id]?.value);
    objects.push(...owns.map(({ text }) => text));
    return { own: parts.join('\u0001'), objects, isWide: ports.size >= mostPorts };
  }
}
