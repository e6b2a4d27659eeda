/** A page over the panes: a container, the details of a row, or the help. */
import { Box } from 'ink';
import type { ReactElement } from 'react';
import { cell } from '../../present/cell.ts';
import type { Line } from '../../present/cell.ts';
import { stateCell } from '../../present/common-cells.ts';
import { goneName } from '../../present/container-page/gone.ts';
import { containerTabs } from '../../present/container-page/page.ts';
import { cutLine, lineWidth } from '../../present/layout.ts';
import type { PageModel } from '../model.ts';
import type { Frame } from '../screen-store.ts';
import type { Page } from '../state.ts';
import { LinesView, LineView } from './line.tsx';
import { ruleLine } from './rule.ts';

function pageTitle(page: Page, { view, model }: Frame): Line {
  if (page.kind === 'help') return [cell('Help', 'title')];
  if (page.kind === 'details') {
    const title = {
      containers: 'Container',
      links: 'Link',
      ports: 'Port',
      networks: 'Network',
      firewall: 'Rule',
      events: 'Event',
      findings: 'Finding',
    };
    return [cell(title[page.pane], 'title')];
  }
  const container = view.snapshot.containers.find(candidate => candidate.id === page.containerId);
  if (!container) return [cell(goneName(view.events, page.containerId), 'title')];
  const findings = model.page
    ? view.snapshot.findings.filter(finding => finding.containerIds.includes(container.id)).length
    : 0;
  return [
    cell(container.name, 'title'),
    cell('  '),
    stateCell(container),
    cell(`  ${container.networkMode}`, 'dim'),
    ...(findings === 0 ? [] : [cell(`  ${findings} ${findings === 1 ? 'finding' : 'findings'}`, 'warn')]),
  ];
}

/** The tabs, closer together where there is little room. */
function tabsLine(page: Page, width: number): Line {
  if (page.kind !== 'container') return [];
  const line = (gap: string): Line =>
    containerTabs.flatMap((tab, i) => [
      cell(i === 0 ? ' ' : gap),
      cell(`${i + 1} `, 'dim'),
      cell(tab.title, tab.id === page.tab ? 'mark' : 'plain'),
    ]);
  const wide = line('  ');
  return lineWidth(wide) <= width ? wide : line(' ');
}

/** Draws the page on top. */
export function PageView({ frame, page: model }: { frame: Frame; page: PageModel }): ReactElement {
  const { page, lines, height } = model;
  const { columns } = frame.size;
  const end = Math.max(0, lines.length - height);
  const top = Math.min(page.top, end);
  const right = end === 0 ? '' : `${top + 1}-${Math.min(lines.length, top + height)} of ${lines.length}`;
  return (
    <Box flexDirection="column" width={columns} height={height + 2}>
      <LineView width={columns} line={ruleLine(pageTitle(page, frame), right, columns, true)} />
      <LineView width={columns} line={cutLine(tabsLine(page, columns), columns)} />
      <LinesView
        width={columns}
        lines={lines.slice(top, top + height).map(line => cutLine([cell(' '), ...line], columns))}
      />
    </Box>
  );
}
