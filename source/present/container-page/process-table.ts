/** The processes of a container. */
import type { Container } from '../../facts/schema.ts';
import { cell } from '../cell.ts';
import type { Table } from '../table.ts';

type Process = NonNullable<NonNullable<Container['processes']>>[number];

/** Processes by host pid. */
export const processTable: Table<Process> = {
  id: 'processes',
  title: 'Processes',
  key: row => String(row.pid),
  columns: [
    { id: 'pid', title: 'PID', priority: 1, min: 7, max: 7, align: 'right', cell: row => cell(row.pid) },
    { id: 'ppid', title: 'PPID', priority: 4, min: 7, max: 7, align: 'right', cell: row => cell(row.ppid, 'dim') },
    { id: 'uid', title: 'UID', priority: 5, min: 5, max: 6, align: 'right', cell: row => cell(row.uid, 'dim') },
    { id: 'name', title: 'NAME', priority: 2, min: 8, max: 16, cell: row => cell(row.name, 'accent') },
    { id: 'command', title: 'COMMAND', priority: 3, min: 16, max: 400, grow: true, cell: row => cell(row.command) },
  ],
  fields: {},
  copy: row => String(row.pid),
};
