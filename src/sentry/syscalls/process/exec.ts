// execve(2), execveat(2): reading the arguments. Loading is the loader's, the change of program task/exec.ts's.

import { E2BIG, EFAULT, EINVAL, ENOEXEC, ENOMEM } from '../../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../../../abi/fs/fcntl.ts';
import { ARG_MAX, MAX_ARG_STRLEN, PATH_MAX } from '../../../abi/limits.ts';
import { _STK_LIM, RLIMIT_STACK } from '../../../abi/process/resource.ts';
import { SIGSEGV } from '../../../abi/signal/signal.ts';
import { SYS_execve, SYS_execveat } from '../../../abi/syscall.ts';
import { getU64 } from '../../../abi/u64.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { PAGE_SIZE, pageOffset } from '../../base/page.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, type Parked, SLICE_BYTES } from '../../kernel/block.ts';
import { TASK_DEAD } from '../../kernel/states.ts';
import { ArgStrings } from '../../kernel/task/arg_strings.ts';
import { discardProgram, execTask, PendingExec } from '../../kernel/task/exec.ts';
import { endHolds, hold } from '../../kernel/task/holds.ts';
import { LOAD_KILLS, type LoadedProgram } from '../../kernel/task/loader_interface.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ARGV, ENVP, FD, FLAGS, PATH } from '../kinds.ts';
import { sys } from '../row.ts';

const POINTER = 8;
/** Pointers read at a time. */
const CHUNK = 64;

/** Strings that one slice copies in, SLICE_BYTES at most, and pointers. */
const SLICE_STRINGS = 500;
const SLICE_POINTERS = 2048;

/** Reads the two NULL-terminated arrays of strings in slices; its result is 0, -errno, or MORE. A null array is empty. */
class ArgumentReader implements Parked {
  readonly argv: ArgStrings = new ArgStrings();
  readonly envp: ArgStrings = new ArgStrings();
  private readonly addrs: readonly number[];
  /** Which of the two, its pointers, whether all of them are read, and the next of them. */
  private array = 0;
  private pointers: number[] = [];
  private complete = false;
  private next = 0;
  /** Bytes that may still come. */
  private left: number;

  constructor(argvAddr: number, envpAddr: number, room: number) {
    this.addrs = [argvAddr, envpAddr];
    this.left = room;
  }

  private payer: Account | null = null;
  private paid = 0;

  /** What is kept from one slice to the next is counted: false when its user may not have so much. */
  pay(): boolean {
    const bytes = this.argv.bytesHeld + this.envp.bytesHeld + this.pointers.length * POINTER;
    const more = bytes - this.paid;
    if (more <= 0) return true;
    if (!kernelMemory.fits(more)) return false;
    this.payer = kernelMemory.take(more, this.payer ?? kernelMemory.current);
    this.paid = bytes;
    return true;
  }

  /** The strings are on the stack of the new program, or nowhere. */
  abandon(): void {
    if (this.payer !== null) kernelMemory.give(this.payer, this.paid);
    this.payer = null;
    this.paid = 0;
  }

  /** One slice. */
  read(t: Task): number {
    let strings = 0;
    const bytes = this.argv.size + this.envp.size;
    while (this.array < 2) {
      if (!this.complete) {
        const r = this.readPointers(t, this.addrs[this.array]!);
        if (r !== 0) return r;
        if (this.pointers.length > SLICE_STRINGS) return MORE;
      }
      const { pointers } = this;
      const into = this.array === 0 ? this.argv : this.envp;
      for (; this.next < pointers.length; this.next++) {
        if (++strings > SLICE_STRINGS || this.argv.size + this.envp.size - bytes > SLICE_BYTES) return MORE;
        const r = readString(t, pointers[this.next]!, into);
        if (r < 0) return r;
        this.left -= r;
        if (this.left < 0) return -E2BIG;
      }
      this.array++;
      this.pointers = [];
      this.complete = false;
      this.next = 0;
    }
    return 0;
  }

  private readPointers(t: Task, addr: number): number {
    const { pointers } = this;
    for (let read = 0; addr !== 0; read += CHUNK) {
      if (read >= SLICE_POINTERS) return MORE;
      const got = t.mm.copyIn(addr + pointers.length * POINTER, scratch, 0, CHUNK * POINTER);
      if (got < POINTER) return -EFAULT;
      const n = Math.floor(got / POINTER);
      for (let i = 0; i < n; i++) {
        const p = getU64(scratchView, i * POINTER);
        if (p === 0) {
          this.complete = true;
          return this.left < 0 ? -E2BIG : 0;
        }
        pointers.push(p);
        this.left -= POINTER;
      }
      if (this.left < 0) return -E2BIG;
      if (n < CHUNK) return -EFAULT;
    }
    this.complete = true;
    return 0;
  }
}

/** Reads a string: its length with the NUL, -EFAULT, or -E2BIG from MAX_ARG_STRLEN on. */
function readString(t: Task, addr: number, into: ArgStrings): number {
  for (let done = 0, step = SHORT; ; step = Math.min(step * 4, LONG)) {
    into.room(done + step);
    const at = into.size + done;
    // To the end of a page at most: what lies behind may not be there.
    const n = Math.min(step, PAGE_SIZE - pageOffset(addr + done));
    const got = t.mm.copyIn(addr + done, into.bytes, at, n);
    if (got <= 0) return -EFAULT;
    const end = into.bytes.subarray(at, at + got).indexOf(0);
    done += end < 0 ? got : end + 1;
    if (done > MAX_ARG_STRLEN || (end < 0 && done === MAX_ARG_STRLEN)) return -E2BIG;
    if (end < 0) continue;
    into.added(done);
    return done;
  }
}

/** Bytes that are read at first in search of a string's end, and at the most. */
const SHORT = 32;
const LONG = PAGE_SIZE;

/** From ArgumentReader: another slice is needed. */
const MORE = 1;

/** Bytes that arguments and environment may take: execve(2), "Limits on size of arguments and environment". */
function argumentRoom(t: Task): number {
  return Math.max(Math.min((_STK_LIM / 4) * 3, t.rlimit(RLIMIT_STACK) / 4), ARG_MAX);
}

/** check_unsafe_exec(): does anybody outside the process share its root and working directory? */
function sharesFs(t: Task): boolean {
  let own = 0;
  // A leader that has exited is still listed and shares nothing any more.
  for (const thread of t.group.threads) if (thread.fs === t.fs && thread.state !== TASK_DEAD) own++;
  return t.fs.refs > own;
}

function exec(
  t: Task,
  dirfd: number,
  pathAddr: number,
  argvAddr: number,
  envpAddr: number,
  flags: number,
): number {
  const { call } = t;
  const begun = call.active ? call.state : null;
  if (begun instanceof UnfinishedExec) return finishProgram(t, begun.program, begun.reader);
  if (begun instanceof PendingExec) return afterLoad(t, begun.program);
  const path = t.mm.copyInString(pathAddr, PATH_MAX);
  if (typeof path === 'number') {
    if (begun !== null) begun.abandon(t);
    return path;
  }
  const reader =
    begun instanceof ArgumentReader ? begun : new ArgumentReader(argvAddr, envpAddr, argumentRoom(t));
  const r = reader.read(t);
  if (r === MORE) {
    call.state = reader;
    const w = reader.pay() ? t.giveWay() : -ENOMEM;
    if (w !== BLOCKED) reader.abandon();
    return w;
  }
  const done = r < 0 ? r : load(t, dirfd, path, flags, reader);
  if (done !== BLOCKED || !(call.state instanceof UnfinishedExec)) reader.abandon();
  return done;
}

/** Loads the program that was asked for with the arguments of `reader`, and runs it. */
function load(t: Task, dirfd: number, path: string, flags: number, reader: ArgumentReader): number {
  const { kernel } = t;
  const { argv, envp } = reader;
  // As since Linux 5.18: programs never see argc 0.
  if (argv.count === 0) argv.push('');
  if (kernel.loader === null) return -ENOEXEC;
  const program = kernel.loader.loadProgram({
    kernel,
    ctx: t,
    dirfd,
    path,
    flags,
    argv,
    envp,
    cred: t.cred,
    sharesFs: sharesFs(t),
    limits: t.group.limits,
    personality: t.personality,
  });
  if (program === LOAD_KILLS) {
    kernel.signals.forceSegv(t, SIGSEGV);
    // Never seen: the thread dies on its way back.
    return -EINVAL;
  }
  return typeof program === 'number' ? program : finishProgram(t, program, reader);
}

/** A loaded program whose stack is still being written. */
class UnfinishedExec implements Parked {
  readonly program: LoadedProgram;
  readonly reader: ArgumentReader;

  constructor(program: LoadedProgram, reader: ArgumentReader) {
    this.program = program;
    this.reader = reader;
  }

  abandon(t: Task): void {
    endHolds(t);
    discardProgram(this.program);
    this.reader.abandon();
  }
}

/** What the program may do has been decided: until it runs, no other thread changes what that was decided by. */
function guard(t: Task, state: UnfinishedExec): void {
  hold(t, t.group, state);
  if (!sharesFs(t)) hold(t, t.fs, state);
}

/** Writes what is missing of a program, slice by slice, and runs it. */
function finishProgram(t: Task, program: LoadedProgram, reader: ArgumentReader): number {
  const r = program.unfinished === null ? 0 : program.unfinished.step();
  if (r === 0) {
    reader.abandon();
    return afterLoad(t, program);
  }
  if (r > 0) {
    guard(t, new UnfinishedExec(program, reader));
    if (t.giveWay() === BLOCKED) return BLOCKED;
  } else t.kernel.signals.forceSegv(t, SIGSEGV);
  reader.abandon();
  discardProgram(program);
  // Never seen: the thread dies on its way back.
  return -EINVAL;
}

function afterLoad(t: Task, program: LoadedProgram): number {
  if (t.signals.killed || t.group.exiting) {
    discardProgram(program);
    t.group.execTask = null;
    // Never seen: the thread dies on its way back.
    return -EINVAL;
  }
  return execTask(t, program);
}

/** Implements execve(2). */
function execve(t: Task, path: number, argv: number, envp: number): number {
  return exec(t, AT_FDCWD, path, argv, envp, 0);
}

/** Implements execveat(2). */
function execveat(t: Task, dirfd: number, path: number, argv: number, envp: number, flags: number): number {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;
  return exec(t, dirfd, path, argv, envp, flags);
}

const AT_FLAGS = FLAGS('flags', [
  ['AT_EMPTY_PATH', AT_EMPTY_PATH],
  ['AT_SYMLINK_NOFOLLOW', AT_SYMLINK_NOFOLLOW],
]);

export const rows = [
  sys(SYS_execve, [PATH, ARGV, ENVP], execve),
  sys(SYS_execveat, [FD, PATH, ARGV, ENVP, AT_FLAGS], execveat),
];
