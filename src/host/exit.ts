// The end of this process.

import { SYS_exit_group } from '../abi/syscall.ts';
import { dieOf } from './signals.ts';
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

/** Tools of Node.js that would lose their results with a sudden end. */
const WRITES_AT_THE_END = /--(?:\w+-)*(?:prof|trace|report)|coverage/;

/** Ends this process as one that `sig` killed, after its exit handlers; with status 128 + `sig` where that cannot be. */
export function exitBySignal(sig: number): never {
  const status = 128 + sig;
  const { env, execArgv } = process;
  const loses = WRITES_AT_THE_END.test([...execArgv, env.NODE_OPTIONS ?? ''].join(' '));
  if (loses || env.NODE_V8_COVERAGE !== undefined) process.exit(status);
  process.emit('exit', status);
  dieOf(sig);
  hostCall(SYS_exit_group, status);
  process.exit(status);
}
