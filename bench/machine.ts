// The machine and the versions that a run's figures belong to.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './children.ts';
import { runscPath } from './runners.ts';

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly kernel: string;
  readonly node: string;
  readonly vedette: string;
  readonly runsc: string;
  /** The clock that the host's kernel reads. */
  readonly clockSource: string;
  /** Whether an entry to the host's kernel changes page tables, which makes every call dearer. */
  readonly pageTableIsolation: 'on' | 'off' | 'unknown';
  readonly virtual: boolean;
  readonly date: string;
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
    runsc: await read([runscPath(), '--version']),
    clockSource: text('/sys/devices/system/clocksource/clocksource0/current_clocksource') || 'unknown',
    pageTableIsolation: parsePageTableIsolation(text('/sys/devices/system/cpu/vulnerabilities/meltdown')),
    virtual: /^flags\s*:.* hypervisor\b/m.test(text('/proc/cpuinfo')),
    date: new Date().toISOString(),
  };
}

/** Reads the kernel's word on Meltdown: "Mitigation: PTI", "Not affected", "Vulnerable". */
export function parsePageTableIsolation(meltdown: string): Machine['pageTableIsolation'] {
  if (/\bPTI\b/.test(meltdown)) return 'on';
  return /^(Not affected|Vulnerable)/.test(meltdown) ? 'off' : 'unknown';
}

function text(file: string): string {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch {
    return '';
  }
}

/** Share of all cpus that others use while we wait a moment, from 0 to 1; time stolen by a hypervisor counts as used. */
export async function busyShare(): Promise<number> {
  const before = cpuTimes();
  await delay(100);
  const after = cpuTimes();
  const total = after.total - before.total;
  return total > 0 ? 1 - (after.idle - before.idle) / total : 0;
}

function cpuTimes(): { total: number; idle: number } {
  const line = readFileSync('/proc/stat', 'latin1').split('\n')[0]!;
  // user nice system idle iowait irq softirq steal; what follows is counted in user and nice already.
  const times = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return { total: times.reduce((a, b) => a + b, 0), idle: times[3]! + times[4]! };
}
