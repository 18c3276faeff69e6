// /proc/sys: what sysctl(8) shows. Values are those of this kernel; writable ones are few, the others refuse writes.

import { EINVAL, ENOENT, EPERM } from '../../../abi/errno.ts';
import { randomFill } from '../../../host/random.ts';
import { countUnsupported } from '../../base/log.ts';
import { MQ_LIMITS } from '../../kernel/ipc/namespace.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { PID_MAX } from '../../kernel/task/pids.ts';
import { NR_OPEN_MAX } from '../../kernel/task/rlimits.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import { TextFileInode } from '../../vfs/synthetic.ts';
import { ENTROPY_BITS } from '../dev/random.ts';
import { PIPE_MAX_SIZE } from '../pipe/pipe.ts';
import { NET_SYSCTLS } from './net_sysctl.ts';
import { ProcStaticDir } from './proc_dir.ts';

/** __NEW_UTS_LEN. */
const UTS_NAME_MAX = 64;

/** A random (version 4) UUID in text. */
export function randomUuid(): string {
  const b = new Uint8Array(16);
  randomFill(b, 0, 16);
  b[6] = (b[6]! & 0x0f) | 0x40;
  b[8] = (b[8]! & 0x3f) | 0x80;
  const h = Buffer.from(b).toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

interface Sysctl {
  readonly path: string;
  readonly get: () => string;
  /** Takes a trimmed text; 0 or -errno. Without it the value cannot be changed. */
  readonly set?: (text: string) => number;
}

function fixed(path: string, value: string | number): Sysctl {
  return { path, get: () => String(value) };
}

/** Advice to a kernel that may do as it likes with it: kept as written, within bounds. */
class Kept implements Sysctl {
  readonly path: string;
  private value: number;
  private readonly min: number;
  private readonly max: number;
  readonly get = (): string => String(this.value);
  readonly set = (text: string): number => {
    const v = Number(text);
    if (!/^-?\d+$/.test(text) || v < this.min || v > this.max) return -EINVAL;
    this.value = v;
    return 0;
  };

  constructor(path: string, value: number, min: number, max: number) {
    this.path = path;
    this.value = value;
    this.min = min;
    this.max = max;
  }
}

function table(k: Kernel, bootId: string): Sysctl[] {
  const uts = k.uts;
  const name = (text: string, put: (s: string) => void): number => {
    if (text.length > UTS_NAME_MAX) return -EINVAL;
    put(text);
    return 0;
  };
  return [
    {
      path: 'kernel/hostname',
      get: () => uts.nodename,
      set: (s) =>
        name(s, (v) => {
          uts.nodename = v;
        }),
    },
    {
      path: 'kernel/domainname',
      get: () => uts.domainname,
      set: (s) =>
        name(s, (v) => {
          uts.domainname = v;
        }),
    },
    fixed('kernel/ostype', uts.sysname),
    fixed('kernel/osrelease', uts.release),
    fixed('kernel/version', uts.version),
    fixed('kernel/arch', uts.machine),
    fixed('kernel/pid_max', PID_MAX),
    { path: 'kernel/threads-max', get: () => String(k.taskLimit.max) },
    fixed('kernel/random/boot_id', bootId),
    { path: 'kernel/random/uuid', get: randomUuid },
    fixed('kernel/random/entropy_avail', ENTROPY_BITS),
    fixed('kernel/random/poolsize', ENTROPY_BITS),
    fixed('kernel/random/urandom_min_reseed_secs', 60),
    fixed('kernel/random/write_wakeup_threshold', ENTROPY_BITS),
    fixed('kernel/cap_last_cap', 40),
    fixed('kernel/ngroups_max', 65536),
    fixed('kernel/overflowuid', 65534),
    fixed('kernel/overflowgid', 65534),
    fixed('kernel/shmmax', '18446744073692774399'),
    fixed('kernel/shmall', '18446744073692774399'),
    fixed('kernel/shmmni', 4096),
    fixed('kernel/shm_rmid_forced', 0),
    fixed('kernel/msgmax', 8192),
    fixed('kernel/msgmnb', 16384),
    fixed('kernel/msgmni', 32000),
    fixed('kernel/sem', '32000\t1024000000\t500\t32000'),
    fixed('kernel/core_pattern', 'core'),
    fixed('kernel/core_uses_pid', 1),
    fixed('kernel/core_pipe_limit', 0),
    fixed('kernel/yama/ptrace_scope', 0),
    fixed('kernel/randomize_va_space', 2),
    fixed('kernel/perf_event_paranoid', 4),
    fixed('kernel/kptr_restrict', 2),
    fixed('kernel/dmesg_restrict', 1),
    fixed('kernel/unprivileged_bpf_disabled', 2),
    fixed('kernel/io_uring_disabled', 2),
    fixed('kernel/printk', '4\t4\t1\t7'),
    fixed('kernel/panic', 0),
    fixed('kernel/sysrq', 0),
    fixed('kernel/tainted', 0),
    fixed('kernel/sched_rr_timeslice_ms', 100),
    fixed('kernel/sched_rt_period_us', 1000000),
    fixed('kernel/sched_rt_runtime_us', 950000),
    fixed('kernel/sched_autogroup_enabled', 0),
    fixed('kernel/numa_balancing', 0),
    fixed('kernel/seccomp/actions_avail', 'kill_process kill_thread trap errno trace log allow'),
    { path: 'kernel/ns_last_pid', get: () => String(k.pids.lastPid) },
    fixed('kernel/pty/max', 4096),
    fixed('kernel/pty/reserve', 1024),
    fixed('vm/overcommit_memory', 1),
    fixed('vm/overcommit_ratio', 50),
    fixed('vm/max_map_count', 65530),
    fixed('vm/mmap_min_addr', 65536),
    fixed('vm/mmap_rnd_bits', 28),
    new Kept('vm/swappiness', 60, 0, 200),
    new Kept('vm/vfs_cache_pressure', 100, 0, 0x7fffffff),
    fixed('vm/dirty_ratio', 20),
    fixed('vm/dirty_background_ratio', 10),
    fixed('vm/dirty_expire_centisecs', 3000),
    fixed('vm/dirty_writeback_centisecs', 500),
    fixed('vm/nr_hugepages', 0),
    fixed('vm/nr_overcommit_hugepages', 0),
    fixed('vm/min_free_kbytes', 4096),
    fixed('vm/oom_kill_allocating_task', 0),
    fixed('vm/panic_on_oom', 0),
    fixed('vm/unprivileged_userfaultfd', 0),
    fixed('vm/legacy_va_layout', 0),
    fixed('fs/file-max', '9223372036854775807'),
    fixed('fs/mqueue/msg_default', MQ_LIMITS.msgDefault),
    fixed('fs/mqueue/msg_max', MQ_LIMITS.msgMax),
    fixed('fs/mqueue/msgsize_default', MQ_LIMITS.msgSizeDefault),
    fixed('fs/mqueue/msgsize_max', MQ_LIMITS.msgSizeMax),
    fixed('fs/mqueue/queues_max', MQ_LIMITS.queuesMax),
    fixed('fs/file-nr', '0\t0\t9223372036854775807'),
    fixed('fs/nr_open', NR_OPEN_MAX),
    fixed('fs/inode-nr', '0\t0'),
    fixed('fs/inode-state', '0\t0\t0\t0\t0\t0\t0'),
    fixed('fs/dentry-state', '0\t0\t45\t0\t0\t0'),
    fixed('fs/pipe-max-size', PIPE_MAX_SIZE),
    fixed('fs/pipe-user-pages-hard', 0),
    fixed('fs/pipe-user-pages-soft', 16384),
    fixed('fs/aio-max-nr', 65536),
    fixed('fs/aio-nr', 0),
    fixed('fs/mount-max', 10000),
    fixed('fs/lease-break-time', 45),
    fixed('fs/leases-enable', 0),
    fixed('fs/overflowuid', 65534),
    fixed('fs/overflowgid', 65534),
    fixed('fs/protected_hardlinks', 0),
    fixed('fs/protected_symlinks', 0),
    fixed('fs/protected_fifos', 0),
    fixed('fs/protected_regular', 0),
    fixed('fs/suid_dumpable', 0),
    fixed('fs/inotify/max_queued_events', 16384),
    fixed('fs/inotify/max_user_instances', 128),
    fixed('fs/inotify/max_user_watches', 65536),
    fixed('fs/epoll/max_user_watches', 1048576),
    fixed('fs/mqueue/msg_max', 10),
    fixed('fs/mqueue/msg_default', 10),
    fixed('fs/mqueue/msgsize_max', 8192),
    fixed('fs/mqueue/msgsize_default', 8192),
    fixed('fs/mqueue/queues_max', 256),
    fixed('dev/tty/legacy_tiocsti', 0),
  ];
}

/** Names that Linux lets only root read. */
const ROOT_ONLY = new Set(['vm/mmap_rnd_bits']);
/** Names that Linux makes read-only for everybody. */
const READ_ONLY =
  /^kernel\/(ostype|osrelease|version|arch|cap_last_cap|ngroups_max|tainted|random\/(boot_id|uuid|entropy_avail|poolsize)|seccomp\/actions_avail)$|^fs\/(file-nr|inode-nr|inode-state|dentry-state|aio-nr)$|tcp_available_congestion_control$/;

/** Builds the tree under `root` (/proc/sys). */
export function fillSysctls(fs: FileSystem, root: ProcStaticDir, k: Kernel, bootId: string): void {
  fillNetSysctls(fs, root);
  for (const ctl of table(k, bootId)) {
    const parts = ctl.path.split('/');
    const dir = dirOf(fs, root, parts.slice(0, -1));
    const mode = READ_ONLY.test(ctl.path) ? 0o444 : ROOT_ONLY.has(ctl.path) ? 0o600 : 0o644;
    const write = (_ctx: unknown, data: string): number => {
      if (ctl.set === undefined) {
        countUnsupported(`write to /proc/sys/${ctl.path}`);
        return -EPERM;
      }
      const r = ctl.set(data.replace(/[\s\0]+$/, ''));
      return r < 0 ? r : data.length;
    };
    dir.add(parts[parts.length - 1]!, new TextFileInode(fs, mode, () => `${ctl.get()}\n`, write));
  }
}

/** Sets what sysctl(8) calls `name`, of the first network namespace: 0, -ENOENT, -EPERM where it is fixed at another value. */
export function setSysctl(k: Kernel, name: string, value: string): number {
  const path = name.replaceAll('.', '/');
  const own = table(k, '').find((ctl) => ctl.path === path);
  if (own !== undefined) {
    if (own.set !== undefined) return own.set(value);
    return own.get() === value ? 0 : -EPERM;
  }
  const net = NET_SYSCTLS.find((ctl) => `net/${ctl.path}` === path);
  if (net === undefined) return -ENOENT;
  if (net.set !== undefined) return net.set(k.net, value);
  return net.get(k.net) === value ? 0 : -EPERM;
}

/** The same for /proc/sys/net, whose values are the reader's network namespace's. */
function fillNetSysctls(fs: FileSystem, root: ProcStaticDir): void {
  for (const ctl of NET_SYSCTLS) {
    const parts = ctl.path.split('/');
    const dir = dirOf(fs, root, ['net', ...parts.slice(0, -1)]);
    const mode = READ_ONLY.test(ctl.path) ? 0o444 : 0o644;
    const write = (ctx: VfsContext, data: string): number => {
      if (ctl.set === undefined) {
        countUnsupported(`write to /proc/sys/net/${ctl.path}`);
        return -EPERM;
      }
      const r = ctl.set((ctx as Task).net, data.trim());
      return r < 0 ? r : data.length;
    };
    const read = (ctx: VfsContext): string => `${ctl.get((ctx as Task).net)}\n`;
    dir.add(parts[parts.length - 1]!, new TextFileInode(fs, mode, read, write));
  }
}

/** The directory at a path, made with those above it. */
function dirOf(fs: FileSystem, root: ProcStaticDir, path: readonly string[]): ProcStaticDir {
  let dir = root;
  for (const part of path) {
    const there = dir.table.get(part);
    dir = there instanceof ProcStaticDir ? there : dir.add(part, new ProcStaticDir(fs));
  }
  return dir;
}
