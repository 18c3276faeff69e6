// `vedette start`: the program of a container that was created runs.

import { RuntimeError } from '../../runtime/oci/failure.ts';
import { runHooks } from '../../runtime/oci/hooks.ts';
import type { ContainerRecord, StateFolder } from '../../runtime/oci/state.ts';
import { ask, type Context, stateOf, theId, withContainer } from './context.ts';
import { readFlags } from './flags.ts';
import { runStartHooks } from './start_hooks.ts';

/** Starts it; the caller has its lock, or is the only one who knows it. */
export function startContainer(folder: StateFolder, record: ContainerRecord): void {
  const status = folder.status(record);
  if (status === 'stopped') throw new RuntimeError('cannot start a container that has stopped');
  if (status !== 'created') throw new RuntimeError('cannot start an already running container');
  const before = runStartHooks(folder, record, stateOf(record, 'created'));
  if (before !== null) stop(record, before);
  ask(folder, { method: 'start' });
  const after = runHooks('poststart', record.poststart, stateOf(record, 'running'), record.bundle);
  if (after !== null) stop(record, after);
}

/** A hook failed: the container ends (runtime.md, "Lifecycle"). */
function stop(record: ContainerRecord, failure: string): never {
  process.kill(record.pid, 'SIGKILL');
  throw new RuntimeError(failure);
}

export function start(ctx: Context, words: readonly string[]): number {
  const id = theId(readFlags(words, {}), 'start');
  withContainer(ctx, id, (folder, record) => startContainer(folder, record));
  return 0;
}
