// The limits of a container on the host's control groups, which hold the programs and the kernel that serves them: cgroups(7). Inside,
// the kernel keeps memory and numbers of threads itself and first (limits.ts); here they are what the host falls back on, wider by
// what the kernel needs for itself. Shares and quotas of processors are kept here alone.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { weightOf } from '../../sentry/fs/cgroup/v2.ts';
import { RuntimeError } from './failure.ts';
import { CPU_PERIOD_US, type SpecResources } from './read_resources.ts';

/** The kernel's process: Node.js, V8's heap, tables for the guests' memory. */
const KERNEL_BYTES = 256 * 2 ** 20;
/** Its threads, and two of the host's for each of the guest's. */
const KERNEL_THREADS = 64;
const THREADS_EACH = 2;

/** One file of a group and what it is to hold. */
interface Setting {
  /** The member of linux.resources. */
  readonly what: string;
  readonly file: string;
  readonly value: string;
}

function wider(limit: number, each: number, more: number, none: string): string {
  return limit < 0 ? none : String(limit * each + more);
}

/** Settings of version 1, in an order in which each is valid. */
function settingsV1(r: SpecResources): Setting[] {
  const list: Setting[] = [];
  const add = (what: string, file: string, value: string | null) => {
    if (value !== null) list.push({ what, file, value });
  };
  const bytes = (n: number | null) => (n === null ? null : wider(n, 1, KERNEL_BYTES, '-1'));
  add('memory.limit', 'memory.limit_in_bytes', bytes(r.memory));
  add('memory.swap', 'memory.memsw.limit_in_bytes', bytes(r.memorySwap));
  add('memory.reservation', 'memory.soft_limit_in_bytes', bytes(r.memoryReservation));
  add('cpu.shares', 'cpu.shares', r.cpuShares === null ? null : String(Math.max(2, r.cpuShares)));
  add('cpu.period', 'cpu.cfs_period_us', r.cpuPeriod === null ? null : String(r.cpuPeriod));
  add('cpu.quota', 'cpu.cfs_quota_us', r.cpuQuota === null ? null : String(r.cpuQuota));
  add('cpu.cpus', 'cpuset.cpus', r.cpus);
  add('cpu.mems', 'cpuset.mems', r.mems);
  add('pids.limit', 'pids.max', r.pids === null ? null : wider(r.pids, THREADS_EACH, KERNEL_THREADS, 'max'));
  return list;
}

function settingsV2(r: SpecResources): Setting[] {
  const list: Setting[] = [];
  const add = (what: string, file: string, value: string | null) => {
    if (value !== null) list.push({ what, file, value });
  };
  add('memory.limit', 'memory.max', r.memory === null ? null : wider(r.memory, 1, KERNEL_BYTES, 'max'));
  // Version 1 counts both together.
  if (r.memorySwap !== null && r.memorySwap < 0) add('memory.swap', 'memory.swap.max', 'max');
  else if (r.memorySwap !== null && r.memory !== null && r.memory > 0)
    add('memory.swap', 'memory.swap.max', String(Math.max(0, r.memorySwap - r.memory)));
  add(
    'memory.reservation',
    'memory.low',
    r.memoryReservation === null ? null : wider(r.memoryReservation, 1, 0, '0'),
  );
  add('cpu.shares', 'cpu.weight', r.cpuShares === null ? null : String(weightOf(r.cpuShares)));
  if (r.cpuQuota !== null || r.cpuPeriod !== null)
    add(
      'cpu.quota',
      'cpu.max',
      `${r.cpuQuota === null || r.cpuQuota < 0 ? 'max' : r.cpuQuota} ${r.cpuPeriod ?? CPU_PERIOD_US}`,
    );
  add('cpu.cpus', 'cpuset.cpus', r.cpus);
  add('cpu.mems', 'cpuset.mems', r.mems);
  add('pids.limit', 'pids.max', r.pids === null ? null : wider(r.pids, THREADS_EACH, KERNEL_THREADS, 'max'));
  for (const [file, value] of Object.entries(r.unified)) add(`unified.${file}`, file, value);
  return list;
}

/** Limits that work without the host's help. */
const KEPT_INSIDE = ['memory.limit', 'pids.limit'];

/** Writes limits to the groups in `dirs`; what none of them takes is told to `warn`, a value that is none is refused. */
export function writeLimits(dirs: readonly string[], r: SpecResources, warn: (text: string) => void): void {
  const v2 = dirs.filter((dir) => existsSync(join(dir, 'cgroup.controllers')));
  const v1 = dirs.filter((dir) => !v2.includes(dir));
  const done = new Map<string, string>();
  for (const [groups, settings] of [
    [v1, settingsV1(r)],
    [v2, settingsV2(r)],
  ] as const)
    for (const { what, file, value } of settings) {
      if (done.get(what) === '') continue;
      done.set(what, done.get(what) ?? 'no group has it');
      for (const dir of groups) {
        const path = join(dir, file);
        if (!existsSync(path)) continue;
        try {
          writeFileSync(path, value);
          done.set(what, '');
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code === 'EINVAL')
            throw new RuntimeError(`linux.resources.${what}: ${path} does not take ${value}`);
          done.set(what, `${path}: ${code}`);
        }
      }
    }
  for (const [what, why] of done)
    if (why !== '' && dirs.length > 0)
      warn(
        `linux.resources.${what}: not in the host's control groups: ${why}${KEPT_INSIDE.includes(what) ? '; kept inside' : ''}`,
      );
}
