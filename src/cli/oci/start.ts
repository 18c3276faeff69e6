// `vedette start`: the program of a container that was created runs.

import { RuntimeError } from '../../runtime/oci/failure.ts';
import { runHooks } from '../../runtime/oci/hooks.ts';
import type { ContainerRecord, StateFolder } from '../../runtime/oci/state.ts';
import { ask, type Context, stateOf, theId, withContainer } from './context.ts';
import { readFlags } from './flags.ts';

/** Starts it; the caller has its lock, or is the only one who knows it. */
export function startContainer(ctx: Context, folder: StateFolder, record: ContainerRecord): void {
  const status = folder.status(record);
  if (status === 'stopped') throw new RuntimeError('cannot start a container that has stopped');
  if (status !== 'created') throw new RuntimeError('cannot start an already running container');
  ask(folder, { method: 'start' });
  const failure = runHooks('poststart', record.poststart, stateOf(record, 'running'), record.bundle);
  if (failure !== null) ctx.log.warn(failure);
}

export function start(ctx: Context, words: readonly string[]): number {
  const id = theId(readFlags(words, {}), 'start');
  withContainer(ctx, id, (folder, record) => startContainer(ctx, folder, record));
  return 0;
}
