// The end of this process.

import { SYS_exit_group } from '../abi/syscall.ts';
import { hostCall } from './syscall.ts';

/** The flags that our own launcher starts Node.js with. */
const OWN_FLAGS = /^--(?:min-semi-space-size=|v8-pool-size=|expose-gc$)/;

/** Somebody watches this process with tools of Node.js that write their results when it is taken down. */
function observed(): boolean {
  const { env, execArgv } = process;
  if (execArgv.some((flag) => !OWN_FLAGS.test(flag))) return true;
  return env.NODE_OPTIONS !== undefined || env.NODE_V8_COVERAGE !== undefined;
}

/** Ends this process after its exit handlers. Node.js's own way takes V8 and its threads down first, for 10 ms. */
export function exitProcess(status: number): never {
  if (observed()) process.exit(status);
  process.emit('exit', status);
  hostCall(SYS_exit_group, status);
  process.exit(status);
}
