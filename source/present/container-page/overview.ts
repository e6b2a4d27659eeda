/** The first tab of a container's page: who it is and how it is connected. */
import type { Container, Endpoint, Snapshot } from '../../facts/schema.ts';
import { glyphs } from '../../terminal/charset.ts';
import { cell, unknownCell } from '../cell.ts';
import type { Cell, Line } from '../cell.ts';
import { nothing, optional, stateCell } from '../common-cells.ts';
import { isUp, portsCell } from '../container-table.ts';
import { facts, heading } from '../document.ts';
import { findingLine } from '../finding-table.ts';
import { lookupOf, trafficOf } from '../lookup.ts';
import { requestedTexts } from '../published.ts';
import { age, ago, bytes, moment, rate } from '../units.ts';

function stateCells(container: Container, now: number): Cell[] {
  const cells = [stateCell(container)];
  if (container.health) cells.push(cell(`  ${container.health}`, container.health === 'unhealthy' ? 'bad' : 'dim'));
  if (isUp(container) && container.startedAt) cells.push(cell(`  up ${age(now - Date.parse(container.startedAt))}`));
  if (!isUp(container) && container.finishedAt) cells.push(cell(`  exited ${ago(container.finishedAt, now)}`));
  if (container.restartCount > 0) cells.push(cell(`  restarted ${container.restartCount}×`, 'warn'));
  return cells;
}

function modeText(container: Container): Cell[] {
  const partner = container.sharesNetnsWith;
  if (!partner) return [cell(container.networkMode)];
  return [
    cell(`${container.networkMode}, shares the netns of `),
    partner.name === undefined
      ? cell(`${partner.id.slice(0, 12)}, which is gone`, 'bad')
      : cell(partner.name, 'accent'),
  ];
}

function endpointLines(endpoint: Endpoint, isRunning: boolean): Line[] {
  const reason = endpoint.unknown && Object.values(endpoint.unknown)[0];
  const path = [endpoint.bridge, endpoint.veth, endpoint.interface].filter(part => part !== undefined);
  const way: Cell =
    endpoint.parent !== undefined
      ? cell(`${endpoint.parent} ${glyphs.arrow} ${endpoint.interface ?? '?'} (${endpoint.driver})`)
      : path.length > 1
        ? cell(path.join(` ${glyphs.arrow} `))
        : isRunning || reason !== undefined
          ? unknownCell(reason ?? 'not read yet')
          : nothing;
  return [
    ...facts([
      ['network', [cell(endpoint.network, 'accent'), cell(`  ${endpoint.driver}`, 'dim')]],
      ['  address', cell([endpoint.ipv4, endpoint.ipv6].filter(Boolean).join('  ') || '-')],
      ['  gateway', optional([endpoint.gateway, endpoint.gateway6].filter(Boolean).join('  '))],
      ['  MAC', optional(endpoint.mac)],
      ['  way', way],
      ['  aliases', endpoint.aliases.length === 0 ? undefined : cell(endpoint.aliases.join(' '))],
      ['  links', endpoint.links.length === 0 ? undefined : cell(endpoint.links.join(' '))],
    ]),
  ];
}

/** Lines of the overview. */
export function overviewLines(snapshot: Snapshot, container: Container): Line[] {
  const lookup = lookupOf(snapshot);
  const traffic = trafficOf(snapshot, lookup.links.get(container.id) ?? []);
  const findings = lookup.findings.get(container.id) ?? [];
  const { now } = lookup;
  return [
    ...facts([
      ['container', [cell(container.name, 'accent'), cell(`  ${container.id.slice(0, 12)}`, 'dim')]],
      ['state', stateCells(container, now)],
      ['error', container.error === undefined || container.error === '' ? undefined : cell(container.error, 'bad')],
      ['image', cell(container.image)],
      ['command', container.command === undefined ? undefined : cell(container.command)],
      ['pid', isUp(container) && container.pid > 0 ? cell(container.pid) : undefined],
      ['started', container.startedAt === undefined ? undefined : cell(moment(container.startedAt, now))],
      [
        'project',
        container.composeProject === undefined
          ? undefined
          : cell(`${container.composeProject} / ${container.composeService ?? '?'}`),
      ],
      ['service', container.swarmService === undefined ? undefined : cell(container.swarmService)],
      ['network mode', modeText(container)],
      ['netns', container.netns === undefined ? undefined : cell(container.netns, 'dim')],
      ['hostname', optional(container.hostname)],
      [
        'DNS',
        cell(
          container.dns.length === 0 ? "the daemon's default" : container.dns.join(' '),
          container.dns.length === 0 ? 'dim' : 'plain',
        ),
      ],
      [container.networkMode === 'host' ? 'listens on' : 'published', portsCell({ container })],
      [
        'asked for',
        container.requestedPorts.length === 0 ? nothing : cell(requestedTexts(container.requestedPorts).join(' ')),
      ],
      [
        'exposed',
        container.exposedPorts.length === 0
          ? undefined
          : cell(container.exposedPorts.map(port => `${port.port}/${port.proto}`).join(' ')),
      ],
      [
        'received',
        traffic &&
          cell(`${bytes(traffic.rxBytes)}${traffic.rxRate === undefined ? '' : `, now ${rate(traffic.rxRate)}`}`),
      ],
      [
        'sent',
        traffic &&
          cell(`${bytes(traffic.txBytes)}${traffic.txRate === undefined ? '' : `, now ${rate(traffic.txRate)}`}`),
      ],
    ]),
    ...container.endpoints.flatMap(endpoint => [[], ...endpointLines(endpoint, isUp(container))]),
    ...(findings.length === 0 ? [] : [...heading('Findings'), ...findings.map(findingLine)]),
  ];
}
