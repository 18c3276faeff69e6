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
  const answer = ask(folder, { method: 'processes' });
  if (flags.text('format') === 'json') {
    process.stdout.write(`${JSON.stringify([record.pid, ...(answer.outside as number[])])}\n`);
    return 0;
  }
  const rows = answer.processes as { pid: number; ppid: number; uid: number; name: string }[];
  const cell = (value: string | number) => String(value).padStart(8);
  const lines = rows.map((p) => `${cell(p.uid)}${cell(p.pid)}${cell(p.ppid)}  ${p.name}\n`);
  process.stdout.write(`${cell('UID')}${cell('PID')}${cell('PPID')}  CMD\n${lines.join('')}`);
  return 0;
}
