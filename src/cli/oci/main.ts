// The OCI runtime: reads what stands before the command, runs it, and says what went wrong where callers look for it.

import { join } from 'node:path';
import { RuntimeError } from '../../runtime/oci/failure.ts';
import { SpecError } from '../../runtime/oci/reader.ts';
import type { Command, Context } from './context.ts';
import { create } from './create.ts';
import { remove } from './delete.ts';
import { events } from './events.ts';
import { exec } from './exec.ts';
import { execWait } from './exec_wait.ts';
import { features } from './features.ts';
import { install } from './install.ts';
import { kill } from './kill.ts';
import { list } from './list.ts';
import { RuntimeLog } from './log.ts';
import { pause, resume } from './pause.ts';
import { ps } from './ps.ts';
import { run } from './run.ts';
import { spec } from './spec.ts';
import { start } from './start.ts';
import { state } from './state.ts';
import { update } from './update.ts';
import { wait } from './wait.ts';
import type { OciWords } from './words.ts';

/** What is not there yet fails and says so. */
function notYet(name: string): Command {
  return () => {
    throw new RuntimeError(`${name}: not yet; fix: do without it`);
  };
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['create', create],
  ['start', start],
  ['run', run],
  ['exec', exec],
  ['state', state],
  ['kill', kill],
  ['delete', remove],
  ['list', list],
  ['ps', ps],
  ['pause', pause],
  ['resume', resume],
  ['spec', spec],
  ['features', features],
  ['events', events],
  ['update', update],
  ['install', install],
  ['wait', wait],
  ['checkpoint', notYet('checkpoint')],
  ['restore', notYet('restore')],
  ['exec-wait', (_ctx, words) => execWait(Number(words[0]))],
]);

function defaultRoot(): string {
  const dir = process.env.XDG_RUNTIME_DIR;
  if (dir !== undefined && dir !== '' && process.getuid!() !== 0) return join(dir, 'vedette');
  return '/run/vedette';
}

/** Runs the command and ends this process. */
export async function runOci({ globals, command, words }: OciWords): Promise<void> {
  const log = new RuntimeLog(
    globals.get('log') ?? null,
    globals.get('log-format') ?? null,
    globals.has('debug'),
  );
  log.debug(`process ${process.pid}: ${command} ${words.join(' ')}`);
  const ctx: Context = {
    root: globals.get('root') || defaultRoot(),
    log,
    systemdCgroup: globals.has('systemd-cgroup'),
    debugLog: globals.get('debug-log') ?? null,
    gofer: globals.has('gofer'),
  };
  try {
    process.exitCode = await COMMANDS.get(command)!(ctx, words);
  } catch (error) {
    const known = error instanceof RuntimeError || error instanceof SpecError;
    log.error(known ? error.message : String((error as Error).stack ?? error));
    process.exitCode = error instanceof RuntimeError ? error.status : 1;
  }
}
