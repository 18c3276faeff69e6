// `vedette list`: all containers of a state folder.

import { type ContainerRecord, listIds, StateFolder, type Status } from '../../runtime/oci/state.ts';
import { type Context, stateOf } from './context.ts';
import { readFlags } from './flags.ts';

export function list(ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { format: 'text', quiet: 'bool' });
  const all: { record: ContainerRecord; status: Status }[] = [];
  for (const id of listIds(ctx.root)) {
    try {
      const folder = new StateFolder(ctx.root, id);
      const record = folder.read();
      all.push({ record, status: folder.status(record) });
    } catch {
      // It is being made or deleted.
    }
  }
  if (flags.has('quiet')) process.stdout.write(all.map(({ record }) => `${record.id}\n`).join(''));
  else if (flags.text('format') === 'json')
    process.stdout.write(`${JSON.stringify(all.map(({ record, status }) => stateOf(record, status)))}\n`);
  else process.stdout.write(table(all));
  return 0;
}

function table(all: { record: ContainerRecord; status: Status }[]): string {
  const rows = [
    ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
    ...all.map(({ record, status }) => [
      record.id,
      String(status === 'stopped' ? 0 : record.pid),
      status,
      record.bundle,
      record.created,
      record.owner,
    ]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]! + 2))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}
