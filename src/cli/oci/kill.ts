// `vedette kill`: sends a signal to the first program of a container, or with --all to all of them.

import { SIGKILL } from '../../abi/signal/signal.ts';
import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { ask, type Context, withContainer } from './context.ts';
import { readFlags } from './flags.ts';
import { signalOf } from './signal_names.ts';

export function kill(ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { all: 'bool' });
  const [id, name = 'SIGTERM', ...more] = flags.words;
  if (id === undefined || more.length > 0)
    throw new RuntimeError('"kill" requires 1 or 2 arguments; fix: vedette kill ID SIGNAL');
  const signal = signalOf(name);
  withContainer(ctx, id, (folder, record) => {
    const status = folder.status(record);
    if (status === 'stopped') {
      // Whoever cleans up asks for all of them, and there are none left.
      if (flags.has('all')) return;
      throw new RuntimeError(NOT_RUNNING);
    }
    // Nothing inside could act on it, and nothing has to: it ends with its process.
    if (signal === SIGKILL && status === 'paused') process.kill(record.pid, 'SIGKILL');
    else ask(folder, { method: 'signal', signal, all: flags.has('all') });
  });
  return 0;
}
