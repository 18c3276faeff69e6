// `vedette ps`: the processes of a container. As JSON, those of the host that stand for it; as a table, those inside.

import { RuntimeError } from '../../runtime/oci/failure.ts';
import { StateFolder } from '../../runtime/oci/state.ts';
import { ask, type Context } from './context.ts';
import { readFlags } from './flags.ts';

export function ps(ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { format: 'text' }, 1);
  const id = flags.words[0];
  if (id === undefined) throw new RuntimeError('"ps" requires a container; fix: vedette ps ID');
  const folder = new StateFolder(ctx.root, id);
  const record = folder.read();
  const none = folder.status(record) === 'stopped';
  const answer = none ? { processes: [], outside: [] } : ask(folder, { method: 'processes' });
  if (flags.text('format') === 'json') {
    const pids = none ? [] : [record.pid, ...(answer.outside as number[])];
    process.stdout.write(`${JSON.stringify(pids)}\n`);
    return 0;
  }
  const rows = answer.processes as Row[];
  const line = (cells: readonly (string | number)[]) =>
    `${cells.map((cell, i) => (i > 0 && i < 3 ? String(cell).padStart(WIDTHS[i]!) : String(cell).padEnd(WIDTHS[i] ?? 0))).join(' ')}\n`;
  const lines = rows.map((p) =>
    line([p.uid, p.pid, p.ppid, 0, clock(p.started), '?', span(p.seconds), p.name]),
  );
  process.stdout.write(line(['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']) + lines.join(''));
  return 0;
}

interface Row {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly name: string;
  /** Seconds since 1970; of processor time. */
  readonly started: number;
  readonly seconds: number;
}

/** Columns of ps -f: ps(1). */
const WIDTHS = [8, 7, 7, 1, 5, 8, 8];

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function clock(seconds: number): string {
  const at = new Date(seconds * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

function span(seconds: number): string {
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
