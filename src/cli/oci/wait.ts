// `vedette wait`: waits for the end of a container that runs; how it ended, as JSON and as the status of the command.

import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { StateFolder } from '../../runtime/oci/state.ts';
import { type Context, theId } from './context.ts';
import { readFlags } from './flags.ts';

/** 128 and the number of the signal, as shells have it. */
const BY_SIGNAL = 128;

export function wait(ctx: Context, words: readonly string[]): number {
  const id = theId(readFlags(words, {}), 'wait');
  const folder = new StateFolder(ctx.root, id);
  folder.read();
  const client = folder.connect();
  const answer = client?.ask({ method: 'wait' }) ?? null;
  const end = client === null || answer === null ? null : client.receive();
  if (end === null || typeof end.exit !== 'number') throw new RuntimeError(NOT_RUNNING);
  const signal = end.exit & 0x7f;
  const exitStatus = signal !== 0 ? BY_SIGNAL + signal : end.exit >> 8;
  process.stdout.write(`${JSON.stringify({ id, exitStatus })}\n`);
  return exitStatus;
}
