/** Help and footer, made from the key table. */
import { cell } from '../present/cell.ts';
import type { Line } from '../present/cell.ts';
import { facts, heading, wrapLines } from '../present/document.ts';
import { fitSegments } from '../present/segments.ts';
import { keyTable } from './key-table.ts';
import type { KeyBinding, KeyContext } from './key-table.ts';

const titles: Readonly<Record<KeyContext, string>> = {
  panes: 'Panes',
  container: "A container's page",
  text: 'Details',
  filter: 'While a filter is typed',
};

function keyLines(bindings: readonly KeyBinding[]): Line[] {
  const unique = new Map(bindings.map(binding => [`${binding.label} ${binding.help}`, binding]));
  return facts([...unique.values()].map(binding => [binding.label, cell(binding.help)] as const));
}

const only = (context: KeyContext): KeyBinding[] =>
  keyTable.filter(binding => binding.contexts.length <= 2 && binding.contexts.includes(context));

/** Every key and what it does, then the signs and the filter language. */
export function helpLines(width: number): Line[] {
  const common = keyTable.filter(binding => binding.contexts.length > 2);
  return wrapLines(
    [
      ...heading('Everywhere', true),
      ...keyLines(common),
      ...heading(titles.panes),
      ...keyLines(only('panes')),
      ...heading(titles.container),
      ...keyLines(only('container')),
      ...heading(titles.text),
      ...keyLines(only('text')),
      ...heading(titles.filter),
      ...keyLines(only('filter')),
      ...heading('Filter'),
      ...facts([
        ['web', cell('rows with "web" in any column')],
        ['port:8080', cell('a port number, or a range such as port:8000-8010')],
        ['mode:host', cell('network mode; also state: name: net: ip: owner: proto: project: finding: …')],
        ['reach:blocked', cell('what the REACH column says: reachable blocked local-only nothing-listening unknown')],
        ['exposed', cell('in Ports: what others can reach, riskiest first; also risk:critical service:redis')],
        ['-state:exited', cell('rows that do not match; all terms must hold')],
      ]),
      ...heading('Ports'),
      [
        cell(
          '8080→80 published; (8080→80) asked for by a container that does not run; :80 a listener of a host-mode container',
        ),
      ],
      ...heading('Reach'),
      [
        cell(
          'Whether those off this host are answered there, as the rules, routes and listeners were read. blocked: a rule, policy, setting or route stops it; local-only: only this host can; nothing-listening: it gets there and nobody answers; 1/3: of so many ports. The Path tab of a container says why.',
        ),
      ],
    ],
    width,
  );
}

/** The keys that work here, as many as fit, the most needed ones longest. */
export function footerLine(context: KeyContext, width: number): Line {
  const shown = keyTable.filter(
    binding => binding.contexts.includes(context) && (binding.footer ?? context === 'filter'),
  );
  const unique = new Map(shown.map(binding => [binding.label, binding]));
  return fitSegments(
    [...unique.values()].map(binding => ({
      priority: binding.footer?.rank ?? 1,
      forms: [[cell(binding.label, 'accent'), cell(` ${binding.footer?.text ?? binding.help}`, 'dim')]],
    })),
    width,
  );
}
