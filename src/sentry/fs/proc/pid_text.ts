// Small text files of /proc/PID: cmdline, environ, limits, io, timers, ids and knobs. proc(5).

import { EACCES, EINVAL, EPERM } from '../../../abi/errno.ts';
import { CAP_SYS_NICE, CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import { OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MIN } from '../../../abi/process/oom.ts';
import * as R from '../../../abi/process/resource.ts';
import { SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD } from '../../../abi/signal/signal.ts';
import { bytesToString } from '../../base/bytes.ts';
import { TASK_BLOCKED } from '../../kernel/states.ts';
import type { Task } from '../../kernel/task/task.ts';
import { R8, R9, R10, RDI, RDX, RIP, RSI, RSP } from '../../platform/regs.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { hex, pad } from './format.ts';
import { layoutOf, memoryOf, mmOf } from './mm_view.ts';

/** Longest command line or environment that is shown: MAX_ARG_STRLEN times a generous count. */
const ARG_TEXT_MAX = 8 << 20;
const OOM_DISABLE = -17;
const OOM_ADJUST_MAX = 15;

/** The bytes [start, end) of the task's memory, as far as they can be read. */
function readRange(t: Task, start: number, end: number): string {
  const mm = mmOf(t);
  const len = Math.min(end - start, ARG_TEXT_MAX);
  if (mm === null || len <= 0) return '';
  const bytes = new Uint8Array(len);
  const n = mm.copyIn(start, bytes, 0, len);
  return n <= 0 ? '' : bytesToString(bytes, 0, n);
}

/** A program that overwrote the end of its arguments (setproctitle) shows the string that goes on behind them. */
export function cmdlineText(t: Task): string {
  const { argStart, argEnd, envEnd } = layoutOf(t);
  const args = readRange(t, argStart, argEnd);
  if (args === '' || args.charCodeAt(args.length - 1) === 0) return args;
  const all = readRange(t, argStart, Math.max(argEnd, envEnd));
  const end = all.indexOf('\0');
  return end < 0 ? all : all.slice(0, end);
}

export function environText(t: Task): string {
  const { envStart, envEnd } = layoutOf(t);
  return readRange(t, envStart, envEnd);
}

export function auxvText(t: Task): string {
  return bytesToString(layoutOf(t).auxv);
}

const LIMITS: readonly (readonly [number, string, string])[] = [
  [R.RLIMIT_CPU, 'Max cpu time', 'seconds'],
  [R.RLIMIT_FSIZE, 'Max file size', 'bytes'],
  [R.RLIMIT_DATA, 'Max data size', 'bytes'],
  [R.RLIMIT_STACK, 'Max stack size', 'bytes'],
  [R.RLIMIT_CORE, 'Max core file size', 'bytes'],
  [R.RLIMIT_RSS, 'Max resident set', 'bytes'],
  [R.RLIMIT_NPROC, 'Max processes', 'processes'],
  [R.RLIMIT_NOFILE, 'Max open files', 'files'],
  [R.RLIMIT_MEMLOCK, 'Max locked memory', 'bytes'],
  [R.RLIMIT_AS, 'Max address space', 'bytes'],
  [R.RLIMIT_LOCKS, 'Max file locks', 'locks'],
  [R.RLIMIT_SIGPENDING, 'Max pending signals', 'signals'],
  [R.RLIMIT_MSGQUEUE, 'Max msgqueue size', 'bytes'],
  [R.RLIMIT_NICE, 'Max nice priority', ''],
  [R.RLIMIT_RTPRIO, 'Max realtime priority', ''],
  [R.RLIMIT_RTTIME, 'Max realtime timeout', 'us'],
];

export function limitsText(t: Task): string {
  const value = (v: number): string => (v === Number.POSITIVE_INFINITY ? 'unlimited' : String(v)).padEnd(20);
  let out = `${'Limit'.padEnd(25)} ${'Soft Limit'.padEnd(20)} ${'Hard Limit'.padEnd(20)} ${'Units'.padEnd(10)}\n`;
  for (const [which, name, unit] of LIMITS) {
    const l = t.group.limits;
    out += `${name.padEnd(25)} ${value(l.soft(which))} ${value(l.hard(which))} ${unit.padEnd(10)}\n`;
  }
  return out;
}

/** This kernel keeps no transfer counters per process. */
export function ioText(): string {
  return 'rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n';
}

export function commText(t: Task): string {
  return `${t.name}\n`;
}

/** Only threads of the same process may rename one another. */
export function writeComm(t: Task, ctx: VfsContext, data: string): number {
  if (ctx.tgid !== t.tgid) return -EINVAL;
  const name = data.slice(0, 15);
  const end = name.indexOf('\0');
  t.name = end < 0 ? name : name.slice(0, end);
  return data.length;
}

export function oomScoreText(t: Task): string {
  const total = Math.max(1, Math.floor(t.kernel.totalMemBytes / 4096));
  const points = memoryOf(t).rssPages + (t.group.oomScoreAdj * total) / 1000;
  const score = Math.max(0, Math.floor(((1000 + (points * 1000) / total) * 2) / 3));
  return `${score}\n`;
}

export function oomScoreAdjText(t: Task): string {
  return `${t.group.oomScoreAdj}\n`;
}

function setOomScoreAdj(t: Task, ctx: VfsContext, value: number): number {
  if (value < OOM_SCORE_ADJ_MIN || value > OOM_SCORE_ADJ_MAX) return -EINVAL;
  if (value < t.group.oomScoreAdj && !ctx.cred.capable(CAP_SYS_RESOURCE)) return -EACCES;
  t.group.oomScoreAdj = value;
  return 0;
}

/** A decimal number as the kernel parses one; NaN when it is none. */
function parse(data: string): number {
  const text = data.trim();
  return /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
}

export function writeOomScoreAdj(t: Task, ctx: VfsContext, data: string): number {
  const value = parse(data);
  if (Number.isNaN(value)) return -EINVAL;
  const r = setOomScoreAdj(t, ctx, value);
  return r < 0 ? r : data.length;
}

export function oomAdjText(t: Task): string {
  const adj = t.group.oomScoreAdj;
  const old =
    adj === OOM_SCORE_ADJ_MAX ? OOM_ADJUST_MAX : Math.trunc((adj * -OOM_DISABLE) / OOM_SCORE_ADJ_MAX);
  return `${Math.min(old, OOM_ADJUST_MAX)}\n`;
}

export function writeOomAdj(t: Task, ctx: VfsContext, data: string): number {
  const value = parse(data);
  if (Number.isNaN(value) || ((value < -16 || value > OOM_ADJUST_MAX) && value !== OOM_DISABLE))
    return -EINVAL;
  const adj =
    value === OOM_ADJUST_MAX ? OOM_SCORE_ADJ_MAX : Math.trunc((value * OOM_SCORE_ADJ_MAX) / -OOM_DISABLE);
  const r = setOomScoreAdj(t, ctx, adj);
  return r < 0 ? r : data.length;
}

export function personalityText(t: Task): string {
  return `${hex(t.personality >>> 0, 8)}\n`;
}

/** The call that a thread waits in, its arguments, stack pointer and instruction pointer. */
export function syscallText(t: Task, ctx: VfsContext): string {
  if (t.state !== TASK_BLOCKED && ctx.tid !== t.tid) return 'running\n';
  const r = t.ctx.regs;
  const x = (reg: number): string => `0x${toHex64(r.get(reg))}`;
  const place = `${x(RSP)} ${x(RIP)}`;
  if (t.sysno < 0) return `-1 ${place}\n`;
  return `${t.sysno} ${[RDI, RSI, RDX, R10, R8, R9].map(x).join(' ')} ${place}\n`;
}

/** Hexadecimal of a signed 64-bit register value; those beyond 2^53 are rounded. */
function toHex64(v: number): string {
  return v >= 0 ? v.toString(16) : BigInt.asUintN(64, BigInt(v)).toString(16);
}

const NOTIFY: ReadonlyMap<number, string> = new Map([
  [SIGEV_SIGNAL, 'signal'],
  [SIGEV_NONE, 'none'],
  [SIGEV_THREAD, 'thread'],
]);

export function timersText(t: Task): string {
  let out = '';
  for (const timer of t.group.posixTimers.values()) {
    const target = timer.target;
    const how = NOTIFY.get(timer.notify & 3) ?? 'signal';
    const who = target === null ? `pid.${t.tgid}` : `tid.${target.tid}`;
    const value = hex64Pointer(timer.valueHi, timer.valueLo);
    out += `ID: ${timer.id}\nsignal: ${timer.signo}/${value}\nnotify: ${how}/${who}\nClockID: ${timer.clock}\n`;
  }
  return out;
}

function hex64Pointer(hi: number, lo: number): string {
  return hex(hi >>> 0, 8) + hex(lo >>> 0, 8);
}

export function schedstatText(t: Task): string {
  return `${Math.floor(t.ctx.cpuTimeNs())} 0 ${t.waits}\n`;
}

export function schedText(t: Task): string {
  const row = (name: string, value: string | number): string => `${name.padEnd(45)}:${pad(value, 21)}\n`;
  const ms = (ns: number): string => (ns / 1e6).toFixed(6);
  const { sched } = t;
  const prio = sched.priority > 0 ? 99 - sched.priority : 120 + sched.nice;
  const title = `${t.name} (${t.tid}, #threads: ${t.group.live})\n`;
  return (
    `${title}${'-'.repeat(67)}\n` +
    row('se.exec_start', ms(t.kernel.time.monotonicNs())) +
    row('se.vruntime', ms(t.ctx.cpuTimeNs())) +
    row('se.sum_exec_runtime', ms(t.ctx.cpuTimeNs())) +
    row('nr_switches', t.waits) +
    row('nr_voluntary_switches', t.waits) +
    row('nr_involuntary_switches', 0) +
    row('policy', sched.policy) +
    row('prio', prio)
  );
}

export function timerslackText(t: Task): string {
  return `${t.sched.timerSlackNs}\n`;
}

export function writeTimerslack(t: Task, ctx: VfsContext, data: string): number {
  if (ctx.tid !== t.tid && !ctx.cred.capable(CAP_SYS_NICE)) return -EPERM;
  const value = Number(data.trim());
  if (!/^\d{1,18}$/.test(data.trim())) return -EINVAL;
  t.sched.timerSlackNs = value === 0 ? t.sched.defaultTimerSlackNs : value;
  return data.length;
}
