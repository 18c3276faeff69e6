// Entry of the `vedette` command, for what the launcher does not hand to the kernel at once.

import { SIGPIPE } from '../abi/signal/signal.ts';
import { main } from './program.ts';

// Whoever reads may have seen enough (`vedette doctor | head`): then it ends as programs that SIGPIPE kills.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(128 + SIGPIPE);
  process.stderr.write(`vedette: standard output: ${error.code ?? error.message}\n`);
  process.exit(1);
});

void main();
