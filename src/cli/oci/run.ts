// `vedette run`: create, start, and unless --detach wait for the end and delete.

import { constants } from 'node:os';
import { type Context, theId } from './context.ts';
import { CREATE_FLAGS, createContainer, ended } from './create.ts';
import { deleteContainer } from './delete.ts';
import { readFlags } from './flags.ts';
import { startContainer } from './start.ts';
import { Relay } from './terminal.ts';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

export async function run(ctx: Context, words: readonly string[]): Promise<number> {
  const flags = readFlags(words, { ...CREATE_FLAGS, detach: 'bool', keep: 'bool' });
  const id = theId(flags, 'run');
  const detach = flags.has('detach');
  const { folder, record, child, master } = await createContainer(ctx, id, flags, !detach);
  const relay = master === null ? null : new Relay(master);
  try {
    startContainer(folder, record);
  } catch (error) {
    deleteContainer(ctx, id, true);
    await relay?.end();
    throw error;
  }
  if (detach) {
    child.unref();
    return 0;
  }
  for (const name of FORWARDED) process.on(name, () => child.kill(name));
  await ended(child);
  await relay?.end();
  if (!flags.has('keep')) deleteContainer(ctx, id, true);
  return child.exitCode ?? 128 + constants.signals[child.signalCode ?? 'SIGKILL'];
}
