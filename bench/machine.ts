// The machine and the versions that a run's figures belong to.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { run } from './children.ts';

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly kernel: string;
  readonly node: string;
  readonly vedette: string;
  readonly runsc: string;
  readonly date: string;
  /** Load average of the last minute when the run began: others who used the machine. */
  readonly load: number;
}

export async function describeMachine(root: string): Promise<Machine> {
  const read = async (argv: string[]) => (await run(argv, 10_000)).stdout.split('\n')[0]!.trim();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    memoryMib: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    vedette: await read(['git', '-C', root, 'describe', '--always', '--dirty']),
    runsc: await read(['runsc', '--version']),
    date: new Date().toISOString(),
    load: Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0]),
  };
}
