// /proc/PID/stat, status and statm: proc(5), proc_pid_stat(5), proc_pid_status(5).

import { RLIMIT_RSS, RLIMIT_SIGPENDING } from '../../../abi/process/resource.ts';
import { SCHED_NORMAL } from '../../../abi/process/sched.ts';
import { SIG_DFL, SIG_IGN } from '../../../abi/signal/signal.ts';
import type { CapSet } from '../../base/cred.ts';
import { type SignalHandlers, sigBit } from '../../kernel/signal/state.ts';
import { TASK_BLOCKED, TASK_DEAD, TASK_STOPPED } from '../../kernel/states.ts';
import type { Task } from '../../kernel/task/task.ts';
import { RIP, RSP } from '../../platform/regs.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { mayInspect } from './access.ts';
import { cpuList, cpuMask, escapeOctal, hex64, kb, ticks } from './format.ts';
import { layoutOf, memoryOf } from './mm_view.ts';

const RLIM_INFINITY_TEXT = '18446744073709551615';
/** PF_FORKNOEXEC and PF_RANDOMIZE of the flags field. */
const PF_FORKNOEXEC = 0x40;
const PF_RANDOMIZE = 0x400000;
/** MAX_NUMNODES bits of Mems_allowed, in words. */
const NODE_WORDS = 32;

/** The letter of a task's state. */
export function stateLetter(t: Task): string {
  switch (t.state) {
    case TASK_BLOCKED:
      return 'S';
    case TASK_STOPPED:
      return 'T';
    case TASK_DEAD:
      return t === t.group.leader ? 'Z' : 'X';
    default:
      return 'R';
  }
}

const STATE_NAMES: Readonly<Record<string, string>> = {
  R: 'R (running)',
  S: 'S (sleeping)',
  T: 'T (stopped)',
  Z: 'Z (zombie)',
  X: 'X (dead)',
};

/** priority and nice fields: 20 + nice, or -1 - priority of a real-time policy. */
function priorityField(t: Task): number {
  return t.sched.policy === SCHED_NORMAL || t.sched.priority === 0
    ? 20 + t.sched.nice
    : -1 - t.sched.priority;
}

/** Ignored and caught signals by disposition (collect_sigign_sigcatch). */
function dispositions(h: SignalHandlers): { ignored: [number, number]; caught: [number, number] } {
  const ignored: [number, number] = [0, 0];
  const caught: [number, number] = [0, 0];
  for (let sig = 1; sig <= 64; sig++) {
    const handler = h.actions[sig]!.handler;
    const set = handler === SIG_IGN ? ignored : handler === SIG_DFL ? null : caught;
    if (set !== null) set[sig <= 32 ? 0 : 1] |= sigBit(sig);
  }
  return { ignored, caught };
}

/** Signals 1-31 of a set, as the obsolete decimal fields of stat have them. */
function lowSignals(lo: number): number {
  return lo & 0x7fffffff;
}

/** Page faults of a process, its dead threads' too. */
function minorFaults(t: Task): number {
  let n = t.group.deadUsage.minorFaults;
  for (const other of t.group.threads) if (!other.dead) n += other.minorFaults;
  return n;
}

/** stat of one thread (`whole` false) or of a process. */
export function statText(t: Task, ctx: VfsContext, whole: boolean): string {
  const g = t.group;
  const open = mayInspect(ctx, t);
  const memory = memoryOf(t);
  const layout = layoutOf(t);
  const tty = g.tty;
  const dead = t.state === TASK_DEAD;
  const { ignored, caught } = dispositions(g.handlers);
  const cpu = whole ? g.cpuNs() : dead ? t.finalCpuNs : t.ctx.cpuTimeNs();
  const rss = g.limits.soft(RLIMIT_RSS);
  const address = (value: number): number => (open ? value : 0);
  const regs = open && !dead ? t.ctx.regs : null;
  const fields: (number | string)[] = [
    whole ? g.tgid : t.tid,
    `(${t.name})`,
    stateLetter(t),
    g.parent === null ? 0 : g.parent.tgid,
    g.pgrpOrNull === null ? 0 : g.pgrp.id,
    g.pgrpOrNull === null ? 0 : g.session.sid,
    tty === null ? 0 : tty.rdev,
    tty === null ? -1 : tty.foreground,
    PF_RANDOMIZE | (g.execed ? 0 : PF_FORKNOEXEC),
    whole ? minorFaults(t) : t.minorFaults,
    g.childUsage.minorFaults,
    g.deadUsage.majorFaults,
    g.childUsage.majorFaults,
    ticks(cpu),
    0,
    ticks(g.childUsage.userNs),
    ticks(g.childUsage.systemNs),
    priorityField(t),
    t.sched.nice,
    g.live,
    0,
    ticks(whole ? g.startNs : t.startNs),
    memory.vmPages * 4096,
    memory.rssPages,
    rss === Number.POSITIVE_INFINITY ? RLIM_INFINITY_TEXT : rss,
    memory.present ? (open ? layout.startCode : 1) : 0,
    memory.present ? (open ? layout.endCode : 1) : 0,
    address(layout.startStack),
    // Where a running thread is, is not shown since Linux 4.14.
    regs !== null && g.exiting ? regs.get(RSP) : 0,
    regs !== null && g.exiting ? regs.get(RIP) : 0,
    lowSignals(t.signals.pending.lo),
    lowSignals(t.signals.maskLo),
    lowSignals(ignored[0]),
    lowSignals(caught[0]),
    0,
    0,
    0,
    whole || t === g.leader ? g.exitSignal : -1,
    0,
    t.sched.priority,
    t.sched.policy,
    0,
    0,
    0,
    address(layout.startData),
    address(layout.endData),
    address(layout.startBrk),
    address(layout.argStart),
    address(layout.argEnd),
    address(layout.envStart),
    address(layout.envEnd),
    open ? (dead ? g.exitStatus : 0) : 0,
  ];
  return `${fields.join(' ')}\n`;
}

export function statmText(t: Task): string {
  const m = memoryOf(t);
  return `${m.vmPages} ${m.rssPages} ${m.rssFilePages} ${m.textPages} 0 ${m.dataPages + m.stackPages} 0\n`;
}

/** CPUs that the thread may use. */
export function allowedCpus(t: Task): boolean[] {
  const n = t.kernel.numCpu;
  const mask = t.sched.affinity;
  const out: boolean[] = [];
  for (let i = 0; i < n; i++) out.push(mask === null || ((mask[i >> 3] ?? 0) & (1 << (i & 7))) !== 0);
  return out;
}

function caps(name: string, set: CapSet): string {
  return `${name}:\t${hex64(set.hi, set.lo)}\n`;
}

function memoryLines(t: Task): string {
  const m = memoryOf(t);
  if (!m.present) return '';
  const line = (name: string, pages: number): string => kb(`${name}:\t`, pages * 4, 8);
  return (
    line('VmPeak', Math.max(m.peakVmPages, m.vmPages)) +
    line('VmSize', m.vmPages) +
    line('VmLck', m.lockedPages) +
    line('VmPin', 0) +
    line('VmHWM', Math.max(m.peakRssPages, m.rssPages)) +
    line('VmRSS', m.rssPages) +
    line('RssAnon', m.rssPages - m.rssFilePages) +
    line('RssFile', m.rssFilePages) +
    line('RssShmem', 0) +
    line('VmData', m.dataPages) +
    line('VmStk', m.stackPages) +
    line('VmExe', m.exePages) +
    line('VmLib', m.textPages - m.exePages) +
    line('VmPTE', 0) +
    line('VmSwap', 0) +
    line('HugetlbPages', 0)
  );
}

export function statusText(t: Task): string {
  const g = t.group;
  const c = t.cred;
  const dead = t.state === TASK_DEAD;
  const present = memoryOf(t).present;
  const { ignored, caught } = dispositions(g.handlers);
  const parent = g.parent === null ? 0 : g.parent.tgid;
  const shown = allowedCpus(t);
  const pgrp = g.pgrpOrNull === null ? 0 : g.pgrp.id;
  const sid = g.pgrpOrNull === null ? 0 : g.session.sid;
  let out = `Name:\t${escapeOctal(t.name, '\n\\')}\n`;
  if (!dead) out += `Umask:\t${t.fs.umask.toString(8).padStart(4, '0')}\n`;
  out += `State:\t${STATE_NAMES[stateLetter(t)]}\nTgid:\t${g.tgid}\nNgid:\t0\nPid:\t${t.tid}\nPPid:\t${parent}\n`;
  out += 'TracerPid:\t0\n';
  out += `Uid:\t${c.uid}\t${c.euid}\t${c.suid}\t${c.fsuid}\n`;
  out += `Gid:\t${c.gid}\t${c.egid}\t${c.sgid}\t${c.fsgid}\n`;
  out += `FDSize:\t${dead ? 0 : fdSize(t.fds.length)}\nGroups:\t${c.groups.join(' ')} \n`;
  out += `NStgid:\t${g.tgid}\nNSpid:\t${t.tid}\nNSpgid:\t${pgrp}\nNSsid:\t${sid}\nKthread:\t0\n`;
  out += memoryLines(t);
  if (present) out += 'CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n';
  out += `Threads:\t${g.live}\nSigQ:\t${t.user.sigpending}/${limitText(g.limits.soft(RLIMIT_SIGPENDING))}\n`;
  out += `SigPnd:\t${hex64(t.signals.pending.hi, t.signals.pending.lo)}\n`;
  out += `ShdPnd:\t${hex64(g.pending.hi, g.pending.lo)}\n`;
  out += `SigBlk:\t${hex64(t.signals.maskHi, t.signals.maskLo)}\n`;
  out += `SigIgn:\t${hex64(ignored[1], ignored[0])}\nSigCgt:\t${hex64(caught[1], caught[0])}\n`;
  out += caps('CapInh', c.inheritable) + caps('CapPrm', c.permitted) + caps('CapEff', c.effective);
  out += caps('CapBnd', c.bounding) + caps('CapAmb', c.ambient);
  out += `NoNewPrivs:\t${c.noNewPrivs ? 1 : 0}\n`;
  const s = t.seccomp;
  const filters = s === null || s.chain === null ? 0 : s.chain.count;
  out += `Seccomp:\t${s === null ? 0 : s.mode}\nSeccomp_filters:\t${filters}\n`;
  out += 'Speculation_Store_Bypass:\tthread vulnerable\nSpeculationIndirectBranch:\tconditional enabled\n';
  out += `Cpus_allowed:\t${cpuMask(shown)}\nCpus_allowed_list:\t${cpuList(shown)}\n`;
  out += `Mems_allowed:\t${'00000000,'.repeat(NODE_WORDS - 1)}00000001\nMems_allowed_list:\t0\n`;
  out += `voluntary_ctxt_switches:\t${t.waits}\nnonvoluntary_ctxt_switches:\t0\n`;
  return out;
}

function limitText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? RLIM_INFINITY_TEXT : String(value);
}

/** Slots that Linux would have allocated for a descriptor table of this length. */
function fdSize(length: number): number {
  let n = 64;
  while (n < length) n *= 2;
  return n;
}
