/** The whole screen, from one frame. */
import { Box } from 'ink';
import type { ReactElement } from 'react';
import { cell } from '../../present/cell.ts';
import type { Line } from '../../present/cell.ts';
import { wrapLines } from '../../present/document.ts';
import { findingLine } from '../../present/finding-table.ts';
import { headerLines } from '../../present/header.ts';
import { cutLine, lineWidth } from '../../present/layout.ts';
import { smallest } from '../arrange.ts';
import type { Arrangement } from '../arrange.ts';
import { keyContext } from '../controller.ts';
import { footerLine } from '../help.ts';
import type { Frame } from '../screen-store.ts';
import { paneIds } from '../state.ts';
import { LinesView, LineView } from './line.tsx';
import { PageView } from './page-view.tsx';
import { countText, paneRule, PaneView } from './pane-view.tsx';
import { ruleLine } from './rule.ts';

const titles = {
  containers: '1 Containers',
  links: '2 Links',
  ports: '3 Ports',
  networks: '4 Networks',
  firewall: '5 Firewall',
  events: '6 Events',
  findings: 'f Findings',
};

/** All panes by name, the one on screen marked and with its count. */
function tabsLine(frame: Frame): Line {
  const spacious = tabs(frame, '  ');
  return lineWidth(spacious) <= frame.size.columns ? spacious : tabs(frame, ' ');
}

function tabs({ state, model }: Frame, between: string): Line {
  return paneIds.flatMap((id, i) => {
    const pane = model.panes[id];
    const gap = cell(i === 0 ? '' : between);
    if (id !== state.pane) return [gap, cell(titles[id], 'dim')];
    return [gap, cell(titles[id], 'mark'), cell(pane ? ` ${countText(pane)}` : '', 'title')];
  });
}

function Strip({ frame, height }: { frame: Frame; height: number }): ReactElement {
  const { columns } = frame.size;
  const { findings } = frame.view.snapshot;
  const rest = findings.length - (height - 1);
  const title = [cell('Findings', 'title')];
  const right = rest > 0 ? `f shows ${rest} more` : 'f shows details';
  return (
    <Box flexDirection="column" width={columns} height={height}>
      <LineView width={columns} line={ruleLine(title, right, columns, false)} />
      <LinesView
        width={columns}
        lines={findings.slice(0, height - 1).map(finding => cutLine([cell('  '), ...findingLine(finding)], columns))}
      />
    </Box>
  );
}

function Body({ frame, arrangement }: { frame: Frame; arrangement: Arrangement }): ReactElement | null {
  const { model, state, size } = frame;
  if (arrangement.kind === 'page') return model.page ? <PageView frame={frame} page={model.page} /> : null;
  if (arrangement.kind === 'single') {
    const pane = model.panes[arrangement.place.pane];
    return (
      <>
        {pane && <PaneView model={pane} top={tabsLine(frame)} editing={state.editing} />}
        {arrangement.strip > 0 && <Strip frame={frame} height={arrangement.strip} />}
      </>
    );
  }
  if (arrangement.kind === 'too-small') return null;
  return (
    <Box width={size.columns} columnGap={1}>
      {arrangement.columns.map((places, i) => (
        <Box key={i} flexDirection="column">
          {places.map(({ pane: id }) => {
            const pane = model.panes[id];
            return pane && <PaneView key={id} model={pane} top={paneRule(pane)} editing={state.editing} />;
          })}
        </Box>
      ))}
    </Box>
  );
}

function footer({ state, size }: Frame): Line {
  const { toast } = state;
  if (toast) return cutLine([cell(toast.text, toast.tone)], size.columns);
  return footerLine(keyContext({ state }), size.columns);
}

/** Draws a frame: exactly as many lines as the terminal has, none wider than it. */
export function Screen({ frame, title }: { frame: Frame; title?: string }): ReactElement {
  const { size, view, clock, model } = frame;
  const { columns, rows } = size;
  if (model.arrangement.kind === 'too-small') {
    const text = `netdash needs at least ${smallest.columns}x${smallest.rows} (now ${columns}x${rows}); q quits`;
    const lines = wrapLines([[cell(text)]], columns).slice(0, rows);
    return (
      <Box flexDirection="column" width={columns} height={rows}>
        <LinesView width={columns} lines={lines} />
      </Box>
    );
  }
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <LinesView width={columns} lines={headerLines(view, { width: columns, clock, title })} />
      <Body frame={frame} arrangement={model.arrangement} />
      <LineView width={columns} line={footer(frame)} />
    </Box>
  );
}
