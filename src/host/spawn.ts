// Starts a program without forking V8: a vfork whose child runs a list of system calls, in machine code, and ends with
// execve. Nothing of JavaScript runs in the child.

import { HostBuffer } from './buffer.ts';
import { installCode, routine } from './ffi.ts';
import { ORDER_SIZE, SPAWN_CODE } from './spawn.image.ts';

/** One system call for the child: number, then up to six arguments. */
export type ChildCall = readonly number[];

/** A call that the host may refuse: the child then goes on without it. */
export function optional(...call: number[]): ChildCall {
  const all = call.concat(new Array(MAY_FAIL - call.length).fill(0));
  all.push(1);
  return all;
}

const at = installCode(SPAWN_CODE);
const spawn = routine(at('spawn'), 'int64_t vedette_spawn(int64_t orders, int64_t count)');

const MAX_CALLS = 64;
/** Place of the word that says so. */
const MAY_FAIL = 7;
const orders = HostBuffer.alloc(MAX_CALLS * ORDER_SIZE);

/**
 * Starts a child that makes `calls` in order, the last an execve; returns its pid, or -errno of the call that failed
 * (the child is then a zombie that the next wait4 reaps).
 */
export function spawnWithCalls(calls: readonly ChildCall[]): number {
  if (calls.length > MAX_CALLS) throw new Error('spawnWithCalls: too many calls');
  orders.u8.fill(0);
  for (let i = 0; i < calls.length; i++) {
    const c = calls[i]!;
    for (let j = 0; j < c.length; j++) orders.view.setBigInt64(i * ORDER_SIZE + j * 8, BigInt(c[j]!), true);
  }
  const pid = spawn(orders.addr, calls.length);
  if (pid < 0) return pid;
  for (let i = 0; i < calls.length; i++) {
    const failure = Number(orders.view.getBigInt64(i * ORDER_SIZE + 56, true));
    if (failure < 0) return failure;
  }
  return pid;
}
