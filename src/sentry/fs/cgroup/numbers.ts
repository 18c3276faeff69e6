// What the files of a control group tell, asked of whoever keeps the limits (runtime/oci/limits.ts).

/** Limits are -1 where there is none. */
export interface CgroupNumbers {
  /** Bytes. */
  readonly memoryMax: number;
  readonly memoryReservation: number;
  readonly memoryUsage: number;
  /** Of which pages of files in memory, and what the kernel keeps. */
  readonly memoryFiles: number;
  readonly memoryKernel: number;
  /** Times that memory was short, and processes that died of it. */
  readonly ooms: number;
  readonly oomKills: number;
  readonly pidsMax: number;
  readonly pidsUsage: number;
  readonly cpuShares: number;
  readonly cpuQuotaUs: number;
  readonly cpuPeriodUs: number;
  readonly cpuUserNs: number;
  readonly cpuSystemNs: number;
  /** Lists as cpuset(7) has them: what was given, and what that comes to. */
  readonly cpus: string;
  readonly cpusEffective: string;
  readonly mems: string;
  /** Numbers of processes and threads inside, ascending. */
  processes(): readonly number[];
  threads(): readonly number[];
}
