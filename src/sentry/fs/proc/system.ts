// Texts of the system-wide files of /proc: proc(5). What has no counterpart in this kernel (interrupts, disks) is shown
// as a machine without it would.

import { fileMemory, kernelMemory } from '../../base/charge.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { TASK_READY, TASK_RUNNING } from '../../kernel/states.ts';
import { kb, pad, ticks } from './format.ts';

const PAGE_KIB = 4;
/** A CPU line of /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice. */
const CPU_FIELDS_AFTER_IDLE = ' 0 0 0 0 0 0';

/** Memory in KiB: what the guest may use, and what it uses. */
function memoryKib(k: Kernel): { total: number; free: number; used: number } {
  const total = Math.floor(k.totalMemBytes / 1024);
  const used = Math.min(total, k.memfile.usedPages * PAGE_KIB);
  // What the guest makes the kernel keep is taken from its memory.
  const kernel = Math.ceil(kernelMemory.used / 1024);
  return { total, free: Math.max(0, total - used - kernel), used };
}

export function meminfoText(k: Kernel): string {
  const { total, free, used } = memoryKib(k);
  const slab = Math.ceil(kernelMemory.used / 1024);
  const line = (name: string, kib: number): string => kb(`${name}:`.padEnd(16), kib, 8);
  return (
    line('MemTotal', total) +
    line('MemFree', free) +
    line('MemAvailable', free) +
    line('Buffers', 0) +
    line('Cached', 0) +
    line('SwapCached', 0) +
    line('Active', used) +
    line('Inactive', 0) +
    line('Active(anon)', used) +
    line('Inactive(anon)', 0) +
    line('Active(file)', 0) +
    line('Inactive(file)', 0) +
    line('Unevictable', 0) +
    line('Mlocked', 0) +
    line('SwapTotal', 0) +
    line('SwapFree', 0) +
    line('Dirty', 0) +
    line('Writeback', 0) +
    line('AnonPages', used) +
    line('Mapped', used) +
    line('Shmem', Math.ceil(fileMemory.used / 1024)) +
    line('KReclaimable', 0) +
    line('Slab', slab) +
    line('SReclaimable', 0) +
    line('SUnreclaim', slab) +
    line('KernelStack', 0) +
    line('PageTables', 0) +
    line('SecPageTables', 0) +
    line('NFS_Unstable', 0) +
    line('Bounce', 0) +
    line('WritebackTmp', 0) +
    line('CommitLimit', Math.floor(total / 2)) +
    line('Committed_AS', used) +
    line('VmallocTotal', 34359738367) +
    line('VmallocUsed', 0) +
    line('VmallocChunk', 0) +
    line('Percpu', 0) +
    line('AnonHugePages', 0) +
    line('ShmemHugePages', 0) +
    line('ShmemPmdMapped', 0) +
    line('FileHugePages', 0) +
    line('FilePmdMapped', 0) +
    'HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n' +
    line('Hugepagesize', 2048) +
    line('Hugetlb', 0)
  );
}

/** CPU time of all processes that live, in ticks. */
function busyTicks(k: Kernel): number {
  let ns = 0;
  for (const g of k.pids.groups()) ns += g.cpuNs() + g.childUsage.userNs + g.childUsage.systemNs;
  return ticks(ns);
}

function countRunning(k: Kernel): number {
  let n = 0;
  for (const t of k.pids.tasks()) if (t.state === TASK_RUNNING || t.state === TASK_READY) n++;
  return n;
}

export function statText(k: Kernel): string {
  const up = ticks(k.time.monotonicNs());
  const busy = Math.min(busyTicks(k), up * k.numCpu);
  const idle = up * k.numCpu - busy;
  let out = `cpu  ${busy} 0 0 ${idle}${CPU_FIELDS_AFTER_IDLE}\n`;
  for (let i = 0; i < k.numCpu; i++) {
    const own = Math.floor(busy / k.numCpu) + (i === 0 ? busy % k.numCpu : 0);
    out += `cpu${i} ${own} 0 0 ${up - own}${CPU_FIELDS_AFTER_IDLE}\n`;
  }
  const boot = Math.floor(k.time.realtimeSec() - k.time.monotonicNs() / 1e9);
  out += `intr 0\nctxt 0\nbtime ${boot}\nprocesses ${k.forkCount}\n`;
  out += `procs_running ${Math.max(1, countRunning(k))}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`;
  return out;
}

function seconds(centi: number): string {
  return `${Math.floor(centi / 100)}.${String(centi % 100).padStart(2, '0')}`;
}

export function uptimeText(k: Kernel): string {
  const up = ticks(k.time.monotonicNs());
  const idle = Math.max(0, up * k.numCpu - busyTicks(k));
  return `${seconds(up)} ${seconds(idle)}\n`;
}

export function loadavgText(k: Kernel): string {
  const threads = k.pids.tasks().length;
  const load = k.load.averages.map((n) => n.toFixed(2)).join(' ');
  return `${load} ${Math.max(1, countRunning(k))}/${threads} ${k.pids.lastPid}\n`;
}

export function versionText(k: Kernel): string {
  const { release, version } = k.uts;
  return `Linux version ${release} (vedette@vedette) (cc, ld) ${version}\n`;
}

/** The types of file systems that there are. None of them needs a device. */
export const FILESYSTEMS: readonly string[] = [
  'sysfs',
  'tmpfs',
  'proc',
  'devtmpfs',
  'sockfs',
  'pipefs',
  'devpts',
  'mqueue',
  'overlay',
];

export function filesystemsText(): string {
  return FILESYSTEMS.map((name) => `nodev\t${name}\n`).join('');
}

export const DEVICES_TEXT: string =
  'Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n128 ptm\n136 pts\n\nBlock devices:\n';

export const SWAPS_TEXT = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

export function interruptsText(k: Kernel): string {
  let out = '           ';
  for (let i = 0; i < k.numCpu; i++) out += `${`CPU${i}`.padEnd(8)}   `;
  return `${out}\n`;
}

export function softirqsText(k: Kernel): string {
  const names = [
    'HI',
    'TIMER',
    'NET_TX',
    'NET_RX',
    'BLOCK',
    'IRQ_POLL',
    'TASKLET',
    'SCHED',
    'HRTIMER',
    'RCU',
  ];
  let out = '                    ';
  for (let i = 0; i < k.numCpu; i++) out += `${`CPU${i}`.padEnd(10)} `;
  out += '\n';
  for (const n of names) out += `${pad(n, 12)}:${` ${pad(0, 10)}`.repeat(k.numCpu)}\n`;
  return out;
}

export function vmstatText(k: Kernel): string {
  const { free, used } = memoryKib(k);
  const rows: readonly (readonly [string, number])[] = [
    ['nr_free_pages', free / PAGE_KIB],
    ['nr_inactive_anon', 0],
    ['nr_active_anon', used / PAGE_KIB],
    ['nr_inactive_file', 0],
    ['nr_active_file', 0],
    ['nr_unevictable', 0],
    ['nr_mlock', 0],
    ['nr_anon_pages', used / PAGE_KIB],
    ['nr_mapped', used / PAGE_KIB],
    ['nr_file_pages', 0],
    ['nr_dirty', 0],
    ['nr_writeback', 0],
    ['nr_shmem', 0],
    ['pgpgin', 0],
    ['pgpgout', 0],
    ['pswpin', 0],
    ['pswpout', 0],
    ['pgfault', 0],
    ['pgmajfault', 0],
    ['oom_kill', k.oomKills],
  ];
  return rows.map(([name, value]) => `${name} ${Math.floor(value)}\n`).join('');
}
