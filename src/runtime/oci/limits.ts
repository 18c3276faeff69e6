// The limits of a container as its kernel keeps them, and what files of its control group and `events` tell of them.

import { totalmem } from 'node:os';
import { fileMemory, kernelMemory } from '../../sentry/base/charge.ts';
import { PAGE_SIZE } from '../../sentry/base/page.ts';
import type { CgroupNumbers } from '../../sentry/fs/cgroup/numbers.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import { defaultTasks } from '../host_limits.ts';
import { CPU_PERIOD_US, type SpecResources, withResources } from './read_resources.ts';

/** Bytes that programs may have. */
export function memoryOf({ memory }: SpecResources): number {
  return memory === null || memory < 0 ? totalmem() : Math.min(memory, totalmem());
}

export class ContainerLimits implements CgroupNumbers {
  private readonly kernel: Kernel;
  private given: SpecResources;

  constructor(kernel: Kernel, given: SpecResources) {
    this.kernel = kernel;
    this.given = given;
  }

  /** Takes other limits. The number of processors that programs see stays: on Linux as well only sets change it. */
  update(given: SpecResources): void {
    this.given = withResources(this.given, given);
    const memory = memoryOf(this.given);
    if (given.memory !== null) this.kernel.limitMemory(memory);
    if (given.pids !== null) this.kernel.taskLimit.max = given.pids > 0 ? given.pids : defaultTasks(memory);
  }

  get memoryMax(): number {
    return this.given.memory ?? -1;
  }
  get memoryReservation(): number {
    return this.given.memoryReservation ?? -1;
  }
  get memoryUsage(): number {
    return this.kernel.memfile.usedPages * PAGE_SIZE + this.memoryKernel;
  }
  get memoryFiles(): number {
    return Math.ceil(fileMemory.used);
  }
  get memoryKernel(): number {
    return Math.ceil(kernelMemory.used);
  }
  get ooms(): number {
    return this.kernel.oomKills;
  }
  get oomKills(): number {
    return this.kernel.oomKills;
  }
  get pidsMax(): number {
    return this.given.pids ?? -1;
  }
  get pidsUsage(): number {
    return this.kernel.pids.threadCount;
  }
  get cpuShares(): number {
    return this.given.cpuShares ?? 0;
  }
  get cpuQuotaUs(): number {
    return this.given.cpuQuota ?? -1;
  }
  get cpuPeriodUs(): number {
    return this.given.cpuPeriod ?? CPU_PERIOD_US;
  }
  /** Programs' own. */
  get cpuUserNs(): number {
    return this.kernel.guestCpuNs();
  }
  /** What the kernel takes is its process's time. */
  get cpuSystemNs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000;
  }
  get cpus(): string {
    return this.given.cpus ?? '';
  }
  get cpusEffective(): string {
    const { numCpu } = this.kernel;
    return numCpu === 1 ? '0' : `0-${numCpu - 1}`;
  }
  get mems(): string {
    return this.given.mems ?? '';
  }

  processes(): readonly number[] {
    const all = this.kernel.pids.groups();
    return all.filter((g) => !g.dead).map((g) => g.tgid);
  }

  threads(): readonly number[] {
    const all = this.kernel.pids.tasks();
    return all.filter((t) => !t.dead).map((t) => t.tid);
  }

  /** For `events`. */
  stats(): object {
    return {
      cpu: { user: Math.floor(this.cpuUserNs), kernel: Math.floor(this.cpuSystemNs) },
      cpus: this.cpusEffective,
      memory: {
        usage: this.memoryUsage,
        limit: this.memoryMax,
        files: this.memoryFiles,
        kernel: this.memoryKernel,
        ooms: this.ooms,
      },
      pids: { current: this.pidsUsage, limit: this.pidsMax },
    };
  }
}
