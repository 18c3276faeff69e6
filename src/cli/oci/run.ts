// `vedette run`: create, start, and unless --detach wait for the end and delete.

import { constants } from 'node:os';
import { type Context, theId } from './context.ts';
import { CREATE_FLAGS, createContainer, ended } from './create.ts';
import { deleteContainer } from './delete.ts';
import { readFlags } from './flags.ts';
import { startContainer } from './start.ts';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

export async function run(ctx: Context, words: readonly string[]): Promise<number> {
  const flags = readFlags(words, { ...CREATE_FLAGS, detach: 'bool', keep: 'bool' });
  const id = theId(flags, 'run');
  const { folder, record, child } = await createContainer(ctx, id, flags);
  try {
    startContainer(ctx, folder, record);
  } catch (error) {
    deleteContainer(ctx, id, true);
    throw error;
  }
  if (flags.has('detach')) {
    child.unref();
    return 0;
  }
  for (const name of FORWARDED) process.on(name, () => child.kill(name));
  await ended(child);
  if (!flags.has('keep')) deleteContainer(ctx, id, true);
  return child.exitCode ?? 128 + constants.signals[child.signalCode ?? 'SIGKILL'];
}
