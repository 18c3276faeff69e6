// A group of version 2: Documentation/admin-guide/cgroup-v2.rst, "Controllers". It is the root of what a container sees and, as in a
// cgroup namespace of Linux, has the files of a group that is none.

import { CGROUP2_SUPER_MAGIC } from '../../../abi/fs/magic.ts';
import { type GroupFiles, GroupFs, lines, maxOr, pairs } from './group_fs.ts';
import type { CgroupNumbers } from './numbers.ts';

/** The files of CFS's shares (2 to 2^18) are a weight of 1 to 10000 here. */
export function weightOf(shares: number): number {
  if (shares <= 0) return 100;
  return 1 + Math.floor(((Math.min(Math.max(shares, 2), 262144) - 2) * 9999) / 262142);
}

function memoryStat(n: CgroupNumbers): string {
  const anon = Math.max(0, n.memoryUsage - n.memoryFiles - n.memoryKernel);
  return pairs({
    anon,
    file: n.memoryFiles,
    kernel: n.memoryKernel,
    shmem: n.memoryFiles,
    inactive_anon: 0,
    active_anon: anon,
    inactive_file: 0,
    active_file: 0,
    unevictable: 0,
    slab: n.memoryKernel,
  });
}

function memoryEvents(n: CgroupNumbers): string {
  return pairs({ low: 0, high: 0, max: n.ooms, oom: n.ooms, oom_kill: n.oomKills, oom_group_kill: 0 });
}

const FILES: GroupFiles = [
  ['cgroup.controllers', () => 'cpuset cpu memory pids'],
  ['cgroup.events', () => pairs({ populated: 1, frozen: 0 })],
  ['cgroup.freeze', () => 0],
  ['cgroup.max.depth', () => 'max'],
  ['cgroup.max.descendants', () => 'max'],
  ['cgroup.procs', (n) => lines(n.processes())],
  ['cgroup.stat', () => pairs({ nr_descendants: 0, nr_dying_descendants: 0 })],
  ['cgroup.subtree_control', () => ''],
  ['cgroup.threads', (n) => lines(n.threads())],
  ['cgroup.type', () => 'domain'],
  ['cpu.idle', () => 0],
  ['cpu.max', (n) => `${maxOr(n.cpuQuotaUs)} ${n.cpuPeriodUs}`],
  ['cpu.max.burst', () => 0],
  [
    'cpu.stat',
    (n) => {
      const user = Math.floor(n.cpuUserNs / 1000);
      const system = Math.floor(n.cpuSystemNs / 1000);
      return pairs({ usage_usec: user + system, user_usec: user, system_usec: system });
    },
  ],
  ['cpu.weight', (n) => weightOf(n.cpuShares)],
  ['cpuset.cpus', (n) => n.cpus],
  ['cpuset.cpus.effective', (n) => n.cpusEffective],
  ['cpuset.mems', (n) => n.mems],
  ['cpuset.mems.effective', () => '0'],
  ['memory.current', (n) => n.memoryUsage],
  ['memory.events', memoryEvents],
  ['memory.events.local', memoryEvents],
  ['memory.high', () => 'max'],
  ['memory.low', (n) => Math.max(0, n.memoryReservation)],
  ['memory.max', (n) => maxOr(n.memoryMax)],
  ['memory.min', () => 0],
  ['memory.oom.group', () => 0],
  ['memory.stat', memoryStat],
  ['memory.swap.current', () => 0],
  ['memory.swap.max', () => 0],
  ['pids.current', (n) => n.pidsUsage],
  ['pids.max', (n) => maxOr(n.pidsMax)],
];

/** The container's group. */
export function cgroup2Fs(numbers: CgroupNumbers): GroupFs {
  return new GroupFs('cgroup2', CGROUP2_SUPER_MAGIC, '', numbers, FILES);
}
