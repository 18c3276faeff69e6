// The system as a whole: uname(2), sethostname(2), sysinfo(2), getrandom(2), syslog(2), personality(2), and calls that
// nobody in a sandbox may make.

import { EFAULT, EINVAL, EPERM } from '../../../abi/errno.ts';
import {
  CAP_SYS_ADMIN,
  CAP_SYS_BOOT,
  CAP_SYS_MODULE,
  CAP_SYS_PACCT,
  CAP_SYS_RAWIO,
  CAP_SYS_TTY_CONFIG,
  CAP_SYSLOG,
} from '../../../abi/process/capability.ts';
import {
  SYS_acct,
  SYS_delete_module,
  SYS_finit_module,
  SYS_getrandom,
  SYS_init_module,
  SYS_ioperm,
  SYS_iopl,
  SYS_personality,
  SYS_reboot,
  SYS_setdomainname,
  SYS_sethostname,
  SYS_swapoff,
  SYS_swapon,
  SYS_sysinfo,
  SYS_syslog,
  SYS_uname,
  SYS_vhangup,
} from '../../../abi/syscall.ts';
import { GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM } from '../../../abi/system/random.ts';
import { encodeSysinfo, SIZEOF_SYSINFO } from '../../../abi/system/sysinfo.ts';
import { __NEW_UTS_LEN, encodeUtsname, SIZEOF_UTSNAME } from '../../../abi/system/utsname.ts';
import { randomFill } from '../../../host/random.ts';
import { bytesToString } from '../../base/bytes.ts';
import { countUnsupported } from '../../base/log.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { SCRATCH_SIZE, scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { MAX_RW_COUNT } from '../blocking_io.ts';
import { ADDR, FLAGS, HEX, IN_BUF, INT, OUT_BUF, PATH, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Bytes of one slice: the host takes some 8 ns for one. */
const RANDOM_SLICE = 65536;
const SYSLOG_ACTIONS = 10;
const SYSLOG_ACTION_READ_ALL = 3;
const SYSLOG_ACTION_SIZE_BUFFER = 10;
const SYSLOG_ACTION_SIZE_UNREAD = 9;

/** Implements uname(2). */
function uname(t: Task, addr: number): number {
  encodeUtsname(scratchView, 0, t.uts);
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_UTSNAME) !== 0 ? -EFAULT : 0;
}

function readName(t: Task, addr: number, len: number): string | number {
  if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if (len < 0 || len > __NEW_UTS_LEN) return -EINVAL;
  if (t.mm.copyInExact(addr, scratch, 0, len) !== 0) return -EFAULT;
  const end = scratch.subarray(0, len).indexOf(0);
  return bytesToString(scratch, 0, end < 0 ? len : end);
}

/** Implements sethostname(2). */
function sethostname(t: Task, addr: number, len: number): number {
  const name = readName(t, addr, len);
  if (typeof name === 'number') return name;
  t.uts.nodename = name;
  return 0;
}

/** Implements setdomainname(2). */
function setdomainname(t: Task, addr: number, len: number): number {
  const name = readName(t, addr, len);
  if (typeof name === 'number') return name;
  t.uts.domainname = name;
  return 0;
}

/** Implements sysinfo(2). */
function sysinfo(t: Task, addr: number): number {
  const k = t.kernel;
  const load = k.load.averages;
  const used = Math.min(k.totalMemBytes, k.memfile.usedPages * PAGE_SIZE);
  encodeSysinfo(scratchView, 0, {
    uptimeSec: Math.floor(k.time.monotonicNs() / 1e9),
    load1: Math.round(load[0]! * LOAD_SCALE),
    load5: Math.round(load[1]! * LOAD_SCALE),
    load15: Math.round(load[2]! * LOAD_SCALE),
    totalram: k.totalMemBytes,
    freeram: k.totalMemBytes - used,
    sharedram: 0,
    bufferram: 0,
    totalswap: 0,
    freeswap: 0,
    procs: Math.min(0xffff, k.pids.threadCount),
    totalhigh: 0,
    freehigh: 0,
    memUnit: 1,
  });
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_SYSINFO) !== 0 ? -EFAULT : 0;
}

/** Implements getrandom(2). */
function getrandom(t: Task, addr: number, len: number, flags: number): number {
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) !== 0) return -EINVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) === (GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  const total = len < 0 ? MAX_RW_COUNT : Math.min(len, MAX_RW_COUNT);
  const { call } = t;
  let done = call.active ? call.done : 0;
  if (call.active && t.signalled) return done;
  const end = Math.min(total, done + RANDOM_SLICE);
  while (done < end) {
    const n = Math.min(SCRATCH_SIZE, end - done);
    randomFill(scratch, 0, n);
    const moved = t.mm.copyOut(addr + done, scratch, 0, n);
    if (moved < 0) return done === 0 ? -EFAULT : done;
    done += moved;
    if (moved < n) return done;
  }
  if (done >= total) return done;
  call.done = done;
  return t.giveWay();
}

/** Implements syslog(2) over a log that is empty, with dmesg_restrict. */
function syslog(t: Task, type: number, addr: number, len: number): number {
  if (!t.cred.capable(CAP_SYSLOG) && !t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if (type < 0 || type > SYSLOG_ACTIONS) return -EINVAL;
  if (type >= 2 && type <= 4 && (addr === 0 || len < 0)) return -EINVAL;
  if (type === SYSLOG_ACTION_READ_ALL || type >= SYSLOG_ACTION_SIZE_UNREAD) {
    return type === SYSLOG_ACTION_SIZE_BUFFER ? 1 << 17 : 0;
  }
  if (type === 2) {
    countUnsupported('syslog read');
    return -EPERM;
  }
  return type === 8 && (len < 1 || len > 8) ? -EINVAL : 0;
}

/** Implements personality(2): kept and shown; the loader heeds ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC. */
function personality(t: Task, persona: number): number {
  const old = t.personality;
  if (persona !== -1) t.personality = persona >>> 0;
  return old;
}

/** A call that needs a capability over the machine, which nobody in a sandbox has: -EPERM with or without it. */
function forbidden(name: string, cap: number): (t: Task) => number {
  return (t) => {
    if (t.cred.capable(cap)) countUnsupported(name);
    return -EPERM;
  };
}

const GRND = FLAGS('flags', [
  ['GRND_NONBLOCK', GRND_NONBLOCK],
  ['GRND_RANDOM', GRND_RANDOM],
  ['GRND_INSECURE', GRND_INSECURE],
]);
/** Load averages are fixed-point numbers with SI_LOAD_SHIFT bits. */
const LOAD_SCALE = 65536;
const NEVER = 'not: EPERM, as without the privilege';

export const rows = [
  sys(SYS_uname, [STRUCT('utsname', true)], uname),
  sys(SYS_sethostname, [IN_BUF, INT], sethostname),
  sys(SYS_setdomainname, [ADDR, INT], setdomainname),
  sys(SYS_sysinfo, [STRUCT('sysinfo', true)], sysinfo),
  sys(SYS_getrandom, [OUT_BUF, SIZE, GRND], getrandom),
  sys(SYS_syslog, [INT, ADDR, INT], syslog, 'the kernel log is empty'),
  sys(SYS_personality, [HEX], personality),
  sys(SYS_reboot, [HEX, HEX, INT, ADDR], forbidden('reboot', CAP_SYS_BOOT), NEVER),
  sys(SYS_acct, [PATH], forbidden('acct', CAP_SYS_PACCT), NEVER),
  sys(SYS_swapon, [PATH, HEX], forbidden('swapon', CAP_SYS_ADMIN), NEVER),
  sys(SYS_swapoff, [PATH], forbidden('swapoff', CAP_SYS_ADMIN), NEVER),
  sys(SYS_init_module, [ADDR, SIZE, ADDR], forbidden('init_module', CAP_SYS_MODULE), NEVER),
  sys(SYS_finit_module, [INT, ADDR, HEX], forbidden('finit_module', CAP_SYS_MODULE), NEVER),
  sys(SYS_delete_module, [ADDR, HEX], forbidden('delete_module', CAP_SYS_MODULE), NEVER),
  sys(SYS_iopl, [INT], forbidden('iopl', CAP_SYS_RAWIO), NEVER),
  sys(SYS_ioperm, [ADDR, SIZE, INT], forbidden('ioperm', CAP_SYS_RAWIO), NEVER),
  sys(SYS_vhangup, [], forbidden('vhangup', CAP_SYS_TTY_CONFIG), NEVER),
];
