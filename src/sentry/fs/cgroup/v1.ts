// Groups of version 1, one hierarchy per controller: Documentation/admin-guide/cgroup-v1/.

import { CGROUP_SUPER_MAGIC } from '../../../abi/fs/magic.ts';
import { type GroupFiles, GroupFs, lines, pairs } from './group_fs.ts';
import type { CgroupNumbers } from './numbers.ts';

/** PAGE_COUNTER_MAX in bytes: no limit. Beyond what a double holds, and so a text. */
const NO_LIMIT = '9223372036854771712';
const DEFAULT_SHARES = 1024;
/** USER_HZ: cpuacct.stat counts ticks. */
const TICK_NS = 1e7;

function bytesOr(limit: number): string | number {
  return limit < 0 ? NO_LIMIT : limit;
}

function total(n: CgroupNumbers): number {
  return Math.floor(n.cpuUserNs + n.cpuSystemNs);
}

const COMMON: GroupFiles = [
  ['cgroup.clone_children', () => 0],
  ['cgroup.procs', (n) => lines(n.processes())],
  ['notify_on_release', () => 0],
  ['tasks', (n) => lines(n.threads())],
];

const MEMORY: GroupFiles = [
  ['memory.failcnt', (n) => n.ooms],
  ['memory.kmem.usage_in_bytes', (n) => n.memoryKernel],
  ['memory.limit_in_bytes', (n) => bytesOr(n.memoryMax)],
  ['memory.oom_control', (n) => pairs({ oom_kill_disable: 0, under_oom: 0, oom_kill: n.oomKills })],
  ['memory.soft_limit_in_bytes', (n) => bytesOr(n.memoryReservation)],
  [
    'memory.stat',
    (n) => {
      const rss = Math.max(0, n.memoryUsage - n.memoryFiles - n.memoryKernel);
      const limit = `hierarchical_memory_limit ${bytesOr(n.memoryMax)}\n`;
      const own = { cache: n.memoryFiles, rss, shmem: n.memoryFiles };
      const all = Object.fromEntries(Object.entries(own).map(([name, value]) => [`total_${name}`, value]));
      return pairs(own) + limit + pairs(all);
    },
  ],
  ['memory.swappiness', () => 0],
  ['memory.usage_in_bytes', (n) => n.memoryUsage],
  ['memory.use_hierarchy', () => 1],
];

const CPU: GroupFiles = [
  ['cpu.cfs_period_us', (n) => n.cpuPeriodUs],
  ['cpu.cfs_quota_us', (n) => n.cpuQuotaUs],
  ['cpu.shares', (n) => (n.cpuShares > 0 ? n.cpuShares : DEFAULT_SHARES)],
  [
    'cpuacct.stat',
    (n) => pairs({ user: Math.floor(n.cpuUserNs / TICK_NS), system: Math.floor(n.cpuSystemNs / TICK_NS) }),
  ],
  ['cpuacct.usage', total],
  ['cpuacct.usage_sys', (n) => Math.floor(n.cpuSystemNs)],
  ['cpuacct.usage_user', (n) => Math.floor(n.cpuUserNs)],
];

const CPUSET: GroupFiles = [
  ['cpuset.cpus', (n) => (n.cpus === '' ? n.cpusEffective : n.cpus)],
  ['cpuset.effective_cpus', (n) => n.cpusEffective],
  ['cpuset.effective_mems', () => '0'],
  ['cpuset.mems', (n) => (n.mems === '' ? '0' : n.mems)],
];

const PIDS: GroupFiles = [
  ['pids.current', (n) => n.pidsUsage],
  ['pids.max', (n) => (n.pidsMax < 0 ? 'max' : n.pidsMax)],
];

/** Controllers that are mounted together -> their files; the name is also that of the place below /sys/fs/cgroup. */
const HIERARCHIES: ReadonlyMap<string, GroupFiles> = new Map([
  ['cpuset', CPUSET],
  ['cpu,cpuacct', CPU],
  ['memory', MEMORY],
  ['pids', PIDS],
]);
/** Their names, in the order of their numbers from 1 on. */
export const CGROUP1_HIERARCHIES: readonly string[] = [...HIERARCHIES.keys()];

/** The container's group of one hierarchy. */
export function cgroup1Fs(hierarchy: string, numbers: CgroupNumbers): GroupFs {
  const files = [...COMMON, ...HIERARCHIES.get(hierarchy)!];
  return new GroupFs('cgroup', CGROUP_SUPER_MAGIC, `,${hierarchy}`, numbers, files);
}
