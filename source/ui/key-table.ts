/** Every key netdash knows. Input, footer and help all come from this table. */

/** Where a key works: `panes` the lists, `container` a container's page, `text` details and help, `filter` while one is typed. */
export type KeyContext = 'panes' | 'container' | 'text' | 'filter';

export type Command =
  | 'down'
  | 'up'
  | 'first'
  | 'last'
  | 'page-down'
  | 'page-up'
  | 'half-down'
  | 'half-up'
  | 'next-pane'
  | 'previous-pane'
  | 'pane'
  | 'findings'
  | 'zoom'
  | 'open'
  | 'back'
  | 'next-tab'
  | 'previous-tab'
  | 'tab'
  | 'filter'
  | 'sort'
  | 'reverse'
  | 'stopped'
  | 'group'
  | 'exposed'
  | 'raw'
  | 'copy'
  | 'freeze'
  | 'refresh'
  | 'help'
  | 'quit'
  | 'redraw'
  | 'suspend'
  | 'keep-filter'
  | 'clear-filter'
  | 'erase'
  | 'erase-word'
  | 'erase-all';

export interface KeyBinding {
  /** Names as `keysOf` gives them. */
  keys: readonly string[];
  command: Command;
  contexts: readonly KeyContext[];
  /** How help and footer write the keys; bindings with the same `label` and `help` are said once. */
  label: string;
  /** One line for the help. */
  help: string;
  /** In a word or two, for the footer; absent: not shown there. Smaller `rank`s are kept longest. */
  footer?: { text: string; rank: number };
}

const everywhere: readonly KeyContext[] = ['panes', 'container', 'text'];
const panes: readonly KeyContext[] = ['panes'];

/** The bindings, in the order of the help. */
export const keyTable: readonly KeyBinding[] = [
  { keys: ['j', 'down'], command: 'down', contexts: everywhere, label: 'j/k ↑/↓', help: 'down and up' },
  { keys: ['k', 'up'], command: 'up', contexts: everywhere, label: 'j/k ↑/↓', help: 'down and up' },
  { keys: ['g', 'home'], command: 'first', contexts: everywhere, label: 'g/G', help: 'to the first and to the last' },
  { keys: ['G', 'end'], command: 'last', contexts: everywhere, label: 'g/G', help: 'to the first and to the last' },
  {
    keys: ['page-down', ' '],
    command: 'page-down',
    contexts: everywhere,
    label: 'PgDn/PgUp',
    help: 'a page down and up',
  },
  { keys: ['page-up'], command: 'page-up', contexts: everywhere, label: 'PgDn/PgUp', help: 'a page down and up' },
  { keys: ['ctrl-d'], command: 'half-down', contexts: everywhere, label: 'Ctrl-d/u', help: 'half a page down and up' },
  { keys: ['ctrl-u'], command: 'half-up', contexts: everywhere, label: 'Ctrl-d/u', help: 'half a page down and up' },
  {
    keys: ['1', '2', '3', '4', '5', '6'],
    command: 'pane',
    contexts: panes,
    label: '1-6',
    help: 'go to a pane',
    footer: { text: 'panes', rank: 5 },
  },
  { keys: ['tab'], command: 'next-pane', contexts: panes, label: 'Tab', help: 'next pane, with Shift the one before' },
  {
    keys: ['shift-tab'],
    command: 'previous-pane',
    contexts: panes,
    label: 'Tab',
    help: 'next pane, with Shift the one before',
  },
  {
    keys: ['f'],
    command: 'findings',
    contexts: everywhere,
    label: 'f',
    help: 'findings, each with its evidence and what to do',
    footer: { text: 'findings', rank: 6 },
  },
  {
    keys: ['z'],
    command: 'zoom',
    contexts: panes,
    label: 'z',
    help: 'this pane alone, and back',
    footer: { text: 'zoom', rank: 12 },
  },
  {
    keys: ['enter'],
    command: 'open',
    contexts: panes,
    label: 'Enter',
    help: 'open what is selected',
    footer: { text: 'open', rank: 3 },
  },
  {
    keys: ['enter'],
    command: 'open',
    contexts: ['text'],
    label: 'Enter',
    help: 'from details to the container that they are about',
  },
  {
    keys: ['escape'],
    command: 'back',
    contexts: everywhere,
    label: 'Esc',
    help: 'clear the filter, then go back; never quits',
    footer: { text: 'back', rank: 4 },
  },
  {
    keys: ['tab', 'right', 'l'],
    command: 'next-tab',
    contexts: ['container'],
    label: 'Tab ←/→',
    help: 'next and previous tab of a container',
    footer: { text: 'tabs', rank: 5 },
  },
  {
    keys: ['shift-tab', 'left', 'h'],
    command: 'previous-tab',
    contexts: ['container'],
    label: 'Tab ←/→',
    help: 'next and previous tab of a container',
    footer: { text: 'tabs', rank: 5 },
  },
  {
    keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
    command: 'tab',
    contexts: ['container'],
    label: '1-9',
    help: 'a tab of a container',
  },
  {
    keys: ['/'],
    command: 'filter',
    contexts: panes,
    label: '/',
    help: 'filter: words, or port:8080 mode:host -state:exited',
    footer: { text: 'filter', rank: 7 },
  },
  {
    keys: ['s'],
    command: 'sort',
    contexts: panes,
    label: 's/S',
    help: 'sort by the next column, reverse',
    footer: { text: 'sort', rank: 8 },
  },
  {
    keys: ['S'],
    command: 'reverse',
    contexts: panes,
    label: 's/S',
    help: 'sort by the next column, reverse',
    footer: { text: 'sort', rank: 8 },
  },
  {
    keys: ['a'],
    command: 'stopped',
    contexts: panes,
    label: 'a',
    help: 'containers that are not running too (those with a finding are always shown)',
    footer: { text: 'stopped', rank: 9 },
  },
  {
    keys: ['e'],
    command: 'exposed',
    contexts: panes,
    label: 'e',
    help: 'the ports that others can reach, riskiest first, and back',
    footer: { text: 'exposed', rank: 7.5 },
  },
  { keys: ['o'], command: 'group', contexts: panes, label: 'o', help: 'containers by Compose project, and back' },
  {
    keys: ['y'],
    command: 'raw',
    contexts: ['panes', 'container'],
    label: 'y',
    help: "Docker's own JSON of the container",
    footer: { text: 'JSON', rank: 13 },
  },
  {
    keys: ['c'],
    command: 'copy',
    contexts: everywhere,
    label: 'c',
    help: 'copy the most useful text of what is selected',
    footer: { text: 'copy', rank: 11 },
  },
  {
    keys: ['p'],
    command: 'freeze',
    contexts: everywhere,
    label: 'p',
    help: 'freeze the screen while netdash goes on reading',
    footer: { text: 'freeze', rank: 10 },
  },
  { keys: ['r'], command: 'refresh', contexts: everywhere, label: 'r', help: 'read everything again now' },
  {
    keys: ['?'],
    command: 'help',
    contexts: everywhere,
    label: '?',
    help: 'this help',
    footer: { text: 'help', rank: 2 },
  },
  {
    keys: ['q', 'ctrl-c'],
    command: 'quit',
    contexts: everywhere,
    label: 'q',
    help: 'quit (also Ctrl-C)',
    footer: { text: 'quit', rank: 1 },
  },
  { keys: ['ctrl-l'], command: 'redraw', contexts: everywhere, label: 'Ctrl-L', help: 'redraw the screen' },
  { keys: ['ctrl-z'], command: 'suspend', contexts: everywhere, label: 'Ctrl-Z', help: 'suspend; fg comes back' },
  { keys: ['enter'], command: 'keep-filter', contexts: ['filter'], label: 'Enter', help: 'keep the filter' },
  { keys: ['escape'], command: 'clear-filter', contexts: ['filter'], label: 'Esc', help: 'drop the filter' },
  { keys: ['backspace'], command: 'erase', contexts: ['filter'], label: 'Backspace', help: 'erase a character' },
  { keys: ['ctrl-w'], command: 'erase-word', contexts: ['filter'], label: 'Ctrl-w', help: 'erase a word' },
  { keys: ['ctrl-u'], command: 'erase-all', contexts: ['filter'], label: 'Ctrl-u', help: 'erase all' },
  { keys: ['ctrl-c'], command: 'quit', contexts: ['filter'], label: 'Ctrl-C', help: 'quit' },
  { keys: ['ctrl-l'], command: 'redraw', contexts: ['filter'], label: 'Ctrl-L', help: 'redraw the screen' },
  { keys: ['ctrl-z'], command: 'suspend', contexts: ['filter'], label: 'Ctrl-Z', help: 'suspend; fg comes back' },
];

/** What a key does here; undefined: nothing. */
export function commandFor(key: string, context: KeyContext): Command | undefined {
  return keyTable.find(binding => binding.contexts.includes(context) && binding.keys.includes(key))?.command;
}
