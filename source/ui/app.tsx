/** The root component: draws the store's frames and hands keys over. */
import { useApp, useInput, usePaste } from 'ink';
import { useEffect, useSyncExternalStore } from 'react';
import type { ReactElement } from 'react';
import type { HandOver } from '../terminal/suspend.ts';
import { LookContext } from './components/line.tsx';
import type { Look } from './components/line.tsx';
import { Screen } from './components/screen.tsx';
import type { Controller } from './controller.ts';
import { keysOf } from './input.ts';
import type { ScreenStore } from './screen-store.ts';

export interface AppProps {
  store: ScreenStore;
  controller: Controller;
  look: Look;
  title?: string;
  /** Receives Ink's way to give the terminal to someone else. */
  onHandOver?: (handOver: HandOver) => void;
}

/** The dashboard. */
export function App({ store, controller, look, title, onHandOver }: AppProps): ReactElement {
  const frame = useSyncExternalStore(store.subscribe, store.getFrame);
  const { suspendTerminal } = useApp();
  useEffect(() => onHandOver?.(() => suspendTerminal()), [onHandOver, suspendTerminal]);
  useInput((input, key) => {
    for (const name of keysOf(input, key)) controller.press(name);
  });
  usePaste(controller.paste);
  return (
    <LookContext value={look}>
      <Screen frame={frame} title={title} />
    </LookContext>
  );
}
