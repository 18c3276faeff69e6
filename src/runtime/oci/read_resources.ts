// `linux.resources` of config.json, which `update --resources` gives alone: config-linux.md, "Control groups".

import type { Reader } from './reader.ts';

/** Limits of a container; null: not given, -1: none. */
export interface SpecResources {
  /** Bytes. */
  readonly memory: number | null;
  readonly memoryReservation: number | null;
  /** Memory and swap together. */
  readonly memorySwap: number | null;
  /** Threads. */
  readonly pids: number | null;
  readonly cpuShares: number | null;
  /** Microseconds in each period. */
  readonly cpuQuota: number | null;
  readonly cpuPeriod: number | null;
  /** Lists as cpuset(7) has them. */
  readonly cpus: string | null;
  readonly mems: string | null;
  /** Files of a group of version 2 and what is written to them. */
  readonly unified: Readonly<Record<string, string>>;
}

/** What is told of and not done: nothing inside could tell the difference, or only the host's disks would. */
const IGNORED = ['blockIO', 'hugepageLimits', 'network', 'rdma'];
const MEMORY_IGNORED = ['kernel', 'kernelTCP', 'swappiness', 'disableOOMKiller'];
const CPU_IGNORED = ['realtimeRuntime', 'realtimePeriod', 'burst', 'idle'];
const U64_MAX = 2 ** 64;
const CPU_LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

/** Beyond what a double holds, and below 0, it is none. 0 is what engines write for one that is not set. */
function limit(r: Reader): number | null {
  const n = r.integerOr(-(2 ** 63), U64_MAX, null);
  if (n === null || n === 0) return null;
  return n < 0 || n >= 2 ** 53 ? -1 : n;
}

function listOr(r: Reader): string | null {
  const text = r.stringOr('');
  if (text === '') return null;
  if (!CPU_LIST.test(text)) r.wrong(`${JSON.stringify(text)} is no list`, '0-3,7');
  return text;
}

/** Reads limits; `warn` hears what of them is left out. */
export function readResources(r: Reader, warn: (text: string) => void): SpecResources {
  const memory = r.at('memory');
  const cpu = r.at('cpu');
  for (const [at, names] of [
    [r, IGNORED],
    [memory, MEMORY_IGNORED],
    [cpu, CPU_IGNORED],
  ] as const)
    for (const name of names) if (at.at(name).isSet) warn(`${at.at(name).path}: no effect`);
  const unified = r.at('unified');
  for (const name of unified.names())
    if (!/^[a-z]+\.[a-z0-9_.]+$/.test(name))
      unified.at(name).wrong('is no file of a group', 'memory.high or its like');
  return {
    memory: limit(memory.at('limit')),
    memoryReservation: limit(memory.at('reservation')),
    memorySwap: limit(memory.at('swap')),
    pids: limit(r.at('pids').at('limit')),
    cpuShares: limit(cpu.at('shares')),
    cpuQuota: limit(cpu.at('quota')),
    cpuPeriod: limit(cpu.at('period')),
    cpus: listOr(cpu.at('cpus')),
    mems: listOr(cpu.at('mems')),
    unified: unified.stringMap(),
  };
}

/** `old` with what `given` says. */
export function withResources(old: SpecResources, given: SpecResources): SpecResources {
  const told = Object.entries(given).filter(([name, value]) => value !== null && name !== 'unified');
  return { ...old, ...Object.fromEntries(told), unified: { ...old.unified, ...given.unified } };
}

/** Processors in a list such as 0-3,7. */
export function countCpus(list: string): number {
  const all = new Set<number>();
  for (const part of list.split(',')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let n = from; n <= Math.min(to, from + 8191); n++) all.add(n);
  }
  return all.size;
}

/** Processors that a program has the use of: what its set and its share of time leave, rounded up; 0 for all. */
export function processorsOf({ cpus, cpuQuota, cpuPeriod }: SpecResources): number {
  const set = cpus === null ? 0 : countCpus(cpus);
  const time = cpuQuota !== null && cpuQuota > 0 ? Math.ceil(cpuQuota / (cpuPeriod ?? CPU_PERIOD_US)) : 0;
  return set > 0 && time > 0 ? Math.min(set, time) : set + time;
}

export const CPU_PERIOD_US = 100_000;
