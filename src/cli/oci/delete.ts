// `vedette delete`: what is left of a container goes.

import { removeCgroups } from '../../runtime/oci/cgroup.ts';
import { NOT_EXIST, RuntimeError } from '../../runtime/oci/failure.ts';
import { runAllHooks } from '../../runtime/oci/hooks.ts';
import { ContainerLock } from '../../runtime/oci/lock.ts';
import { type ContainerRecord, isAlive, StateFolder } from '../../runtime/oci/state.ts';
import { type Context, stateOf } from './context.ts';
import { readFlags } from './flags.ts';

const POLL_MS = 5;
const PATIENCE_MS = 10_000;

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Kills the boot process, with which all of the sandbox ends. */
function killAll(record: ContainerRecord): void {
  if (isAlive(record)) {
    try {
      process.kill(record.pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
  }
  for (let ms = 0; isAlive(record); ms += POLL_MS) {
    if (ms > PATIENCE_MS) throw new RuntimeError(`process ${record.pid} does not end`);
    sleep(POLL_MS);
  }
}

/** Deletes a container; with `force` whatever it does. */
export function deleteContainer(ctx: Context, id: string, force: boolean): void {
  const folder = new StateFolder(ctx.root, id);
  if (!folder.exists) {
    if (force) return;
    throw new RuntimeError(NOT_EXIST);
  }
  const lock = new ContainerLock(ctx.root, id);
  let gone = false;
  try {
    if (folder.isRemnant) {
      if (!force) throw new RuntimeError(NOT_EXIST);
      folder.remove();
      gone = true;
      return;
    }
    const record = folder.read();
    const status = folder.status(record);
    // One that was never started has nobody who could miss it.
    if (!force && status !== 'stopped' && status !== 'created')
      throw new RuntimeError(`cannot delete container ${id} that is not stopped: ${status}`);
    killAll(record);
    removeCgroups(record.cgroups);
    folder.remove();
    gone = true;
    for (const failure of runAllHooks('poststop', record.poststop, stateOf(record, 'stopped'), '/'))
      ctx.log.warn(failure);
  } finally {
    lock.release(gone);
  }
}

/** The command. */
export function remove(ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { force: 'bool', f: 'bool' });
  const force = flags.has('force') || flags.has('f');
  if (flags.words.length !== 1)
    throw new RuntimeError('"delete" requires exactly 1 argument; fix: vedette delete ID');
  deleteContainer(ctx, flags.words[0]!, force);
  return 0;
}
