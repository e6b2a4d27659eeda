/** Isolation: which other containers reach this one, at which of its ports, and what keeps the others away. */
import type { Explained, Reachability } from '../../facts/reachability.ts';
import type { Container, Snapshot } from '../../facts/schema.ts';
import type { VerdictWord } from '../../facts/walk/verdict.ts';
import { cell, type Line } from '../cell.ts';
import { heading } from '../document.ts';
import { verdictLooks } from '../reach.ts';
import { reasonText } from '../verdict-lines.ts';

/** So many questions are asked at most: with many containers the rest can be asked for one by one. */
const mostQuestions = 200;
/** So many names stand in a line. */
const mostNames = 8;

const order: readonly VerdictWord[] = ['reachable', 'unknown', 'blocked', 'nothing-listening', 'local-only'];

const netnsOf = (each: Container): string => each.sharesNetnsWith?.id ?? each.id;

/** Containers with a netns of their own, other than this one's. */
function others({ containers }: Snapshot, container: Container): Container[] {
  return containers.filter(
    each =>
      (each.state === 'running' || each.state === 'paused') &&
      each.networkMode !== 'host' &&
      each.networkMode !== 'none' &&
      each.networkMode !== 'container' &&
      netnsOf(each) !== netnsOf(container),
  );
}

/** Of several addresses of one port the best answer counts: names lead to the one that works. */
function bestByPort(answers: readonly Explained[]): Map<string, Explained> {
  const best = new Map<string, Explained>();
  for (const answer of answers) {
    const { port, proto } = answer.question.to;
    const known = best.get(`${port}/${proto}`);
    const isBetter = !known || order.indexOf(answer.verdict.verdict) < order.indexOf(known.verdict.verdict);
    if (isBetter) best.set(`${port}/${proto}`, answer);
  }
  return best;
}

interface Same {
  answer: Explained;
  port: string;
  names: string[];
}

/** Lines under a heading of their own; none where no other container is there to ask. */
export function neighbourLines(snapshot: Snapshot, container: Container, reach: Reachability): Line[] {
  const asking = others(snapshot, container);
  if (asking.length === 0 || container.networkMode === 'host') return [];
  const groups = new Map<string, Same>();
  let asked = 0;
  let left = 0;
  for (const { id, name } of asking) {
    if (asked >= mostQuestions) {
      left += 1;
      continue;
    }
    const answers = reach.explain(
      { kind: 'container', containerId: container.id },
      { kind: 'container', containerId: id },
    );
    asked += answers.length;
    for (const [port, answer] of bestByPort(answers)) {
      const { verdict, decidedBy } = answer.verdict;
      const key = `${order.indexOf(verdict)} ${port} ${verdict === 'reachable' ? '' : decidedBy?.detail}`;
      const group = groups.get(key) ?? { answer, port, names: [] };
      group.names.push(name);
      groups.set(key, group);
    }
  }
  if (groups.size === 0) return [];
  const rows = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  return [
    ...heading('From other containers'),
    ...rows.flatMap(groupLines),
    ...(left > 0
      ? [[cell(`  ${left} more not asked: netdash explain ${container.name} --from container:NAME`, 'dim')]]
      : []),
  ];
}

function groupLines({ answer: { verdict }, port, names }: Same): Line[] {
  const { glyph, tone } = verdictLooks[verdict.verdict];
  const shown = names.toSorted().slice(0, mostNames).join(', ');
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : '';
  return [
    [cell('  '), cell(`${glyph} ${verdict.verdict}`.padEnd(11) + '  ', tone), cell(`${port} from ${shown}${more}`)],
    ...(verdict.verdict === 'reachable' || !verdict.decidedBy
      ? []
      : [[cell('      '), cell(reasonText(verdict.decidedBy), 'dim')]]),
  ];
}
