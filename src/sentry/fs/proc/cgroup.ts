// /proc/PID/cgroup and /proc/cgroups: cgroups(7). Everybody inside is in one group, of the version that the container was given.

import type { Kernel } from '../../kernel/kernel.ts';
import { CGROUP1_HIERARCHIES } from '../cgroup/v1.ts';

const CONTROLLERS = ['cpuset', 'cpu', 'cpuacct', 'memory', 'pids'];

export function pidCgroupText(k: Kernel): string {
  if (!k.cgroupsV1) return '0::/\n';
  return CGROUP1_HIERARCHIES.map((name, i) => `${i + 1}:${name}:/\n`)
    .reverse()
    .join('');
}

export function cgroupsText(k: Kernel): string {
  const hierarchy = (controller: string) =>
    k.cgroupsV1 ? CGROUP1_HIERARCHIES.findIndex((name) => name.split(',').includes(controller)) + 1 : 0;
  const rows = CONTROLLERS.map((name) => `${name}\t${hierarchy(name)}\t1\t1\n`);
  return `#subsys_name\thierarchy\tnum_cgroups\tenabled\n${rows.join('')}`;
}
