// landlock(7): rules of which files, by the directories above them, a thread may open for what; nothing else from then on. The
// kernel keeps them per thread (all_threads.ts), and has learnt kinds of access over time: those that it does not know are left out.

import { EBADFD, ENOENT, ENOSYS, EOPNOTSUPP, EPERM, ETIMEDOUT, errnoName } from '../abi/errno.ts';
import { F_GETFL, O_ACCMODE, O_RDONLY } from '../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT, STAT_ST_MODE } from '../abi/fs/stat.ts';
import * as L from '../abi/process/landlock.ts';
import { PR_SET_NO_NEW_PRIVS } from '../abi/process/prctl.ts';
import {
  SYS_close,
  SYS_fcntl,
  SYS_fstat,
  SYS_landlock_add_rule,
  SYS_landlock_create_ruleset,
  SYS_landlock_restrict_self,
  SYS_prctl,
} from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { onAllThreads } from './all_threads.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

/** What may be done with what the rule names and all below it. */
export const READ = L.LANDLOCK_ACCESS_FS_READ_FILE | L.LANDLOCK_ACCESS_FS_READ_DIR;
export const LIST = L.LANDLOCK_ACCESS_FS_READ_DIR;
export const WRITE = L.LANDLOCK_ACCESS_FS_WRITE_FILE | L.LANDLOCK_ACCESS_FS_TRUNCATE;
/** To write to a file that is there. */
export const FILL = L.LANDLOCK_ACCESS_FS_READ_FILE | WRITE | L.LANDLOCK_ACCESS_FS_IOCTL_DEV;
/** To change a tree: no devices are made in it. */
export const CHANGE =
  READ |
  WRITE |
  L.LANDLOCK_ACCESS_FS_REFER |
  L.LANDLOCK_ACCESS_FS_REMOVE_DIR |
  L.LANDLOCK_ACCESS_FS_REMOVE_FILE |
  L.LANDLOCK_ACCESS_FS_MAKE_DIR |
  L.LANDLOCK_ACCESS_FS_MAKE_REG |
  L.LANDLOCK_ACCESS_FS_MAKE_SOCK |
  L.LANDLOCK_ACCESS_FS_MAKE_FIFO |
  L.LANDLOCK_ACCESS_FS_MAKE_SYM;
export const ALL =
  CHANGE |
  L.LANDLOCK_ACCESS_FS_EXECUTE |
  L.LANDLOCK_ACCESS_FS_MAKE_CHAR |
  L.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
  L.LANDLOCK_ACCESS_FS_IOCTL_DEV;
/** The bits of LANDLOCK_ACCESS_FS_*, of which each version of the interface knows one or more from below. */
/** Of struct landlock_ruleset_attr as Linux 6.12 has it; earlier ones are shorter, and take zeros behind their end. */
const ATTR_SIZE = 24;
const FS_BITS = [0, 13, 14, 15, 15];
const MOST_FS_BITS = 16;
/** What can be allowed of something that is no directory. */
const OF_FILES =
  L.LANDLOCK_ACCESS_FS_EXECUTE |
  L.LANDLOCK_ACCESS_FS_WRITE_FILE |
  L.LANDLOCK_ACCESS_FS_READ_FILE |
  L.LANDLOCK_ACCESS_FS_TRUNCATE |
  L.LANDLOCK_ACCESS_FS_IOCTL_DEV;
const ABI_OF_NET = 4;
const ABI_OF_SCOPES = 6;

/** The version of the interface, from 1; -ENOSYS or -EOPNOTSUPP where the kernel has none, or it is off. */
export function landlockAbi(): number {
  const abi = hostCall(SYS_landlock_create_ruleset, 0, 0, L.LANDLOCK_CREATE_RULESET_VERSION);
  return abi === 0 ? -EOPNOTSUPP : abi;
}

/** Bit of the second repaired fault: signals between threads of one process, each in a domain of its own, were denied. */
const ERRATUM_THREADS = 0x2;

/** May threads go on to send each other signals where LANDLOCK_SCOPE_SIGNAL is asked for (Linux 6.15, or repaired)? */
export function signalsOfThreads(): boolean {
  const repaired = hostCall(SYS_landlock_create_ruleset, 0, 0, L.LANDLOCK_CREATE_RULESET_ERRATA);
  return repaired > 0 && (repaired & ERRATUM_THREADS) !== 0;
}

/** For people: why Landlock does not hold. */
export function landlockRefusal(r: number): string {
  if (r === -ENOSYS) return 'this kernel has none';
  if (r === -EOPNOTSUPP) return 'it is off in this kernel (boot option lsm=)';
  if (r === -EPERM) return 'the host refuses it (a container whose seccomp profile lacks it)';
  if (r === -ENOENT) return '/proc does not list our threads';
  if (r === -ETIMEDOUT) return 'a thread did not answer';
  return errnoName(-r);
}

const stat = HostBuffer.alloc(144);

export class Ruleset {
  private readonly fd: number;
  /** What is denied but for rules. */
  readonly handled: number;
  private readonly rule: HostBuffer = HostBuffer.alloc(L.SIZEOF_LANDLOCK_PATH_BENEATH_ATTR);

  private constructor(fd: number, handled: number) {
    this.fd = fd;
    this.handled = handled;
  }

  /** A ruleset of that version of the interface about LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_* and LANDLOCK_SCOPE_*; or -errno. */
  static create(abi: number, files: number, net: number, scopes: number): Ruleset | number {
    const handled = files & ((1 << (FS_BITS[abi] ?? MOST_FS_BITS)) - 1);
    const attr = HostBuffer.alloc(ATTR_SIZE);
    putU64(attr.view, L.LANDLOCK_RULESET_ATTR_HANDLED_ACCESS_FS, handled);
    putU64(attr.view, L.LANDLOCK_RULESET_ATTR_HANDLED_ACCESS_NET, abi >= ABI_OF_NET ? net : 0);
    putU64(attr.view, L.LANDLOCK_RULESET_ATTR_SCOPED, abi >= ABI_OF_SCOPES ? scopes : 0);
    // Older kernels take what they do not know as long as it is 0.
    const fd = hostCall(SYS_landlock_create_ruleset, attr.addr, ATTR_SIZE, 0);
    return fd < 0 ? fd : new Ruleset(fd, handled);
  }

  /**
   * Allows `access` of what the descriptor is, O_PATH will do, and of all below; as far as that makes sense for it when it is no
   * `directory`. 0 or -errno. Pipes and the like need no rule.
   */
  allow(fd: number, access: number, directory: boolean): number {
    const allowed = access & this.handled & (directory ? -1 : OF_FILES);
    if (allowed === 0) return 0;
    putU64(this.rule.view, L.LANDLOCK_PATH_BENEATH_ATTR_ALLOWED_ACCESS, allowed);
    this.rule.view.setInt32(L.LANDLOCK_PATH_BENEATH_ATTR_PARENT_FD, fd, true);
    const r = hostCall(SYS_landlock_add_rule, this.fd, L.LANDLOCK_RULE_PATH_BENEATH, this.rule.addr, 0);
    return r === -EBADFD ? 0 : r;
  }

  /** Allows to open the file of a descriptor anew, for what the descriptor is open; 0 or -errno. */
  allowAgain(fd: number): number {
    const mode = hostCall(SYS_fcntl, fd, F_GETFL, 0);
    if (mode < 0 || hostCall(SYS_fstat, fd, stat.addr) < 0) return 0;
    const directory = (stat.view.getUint32(STAT_ST_MODE, true) & S_IFMT) === S_IFDIR;
    const reads = (mode & O_ACCMODE) === O_RDONLY;
    return this.allow(fd, reads ? FILL & ~WRITE : FILL, directory);
  }

  /** Puts every thread of this process under the rules, for good; the number of threads, or -errno as onAllThreads() has it. */
  restrict(): number {
    return onAllThreads([
      [SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
      [SYS_landlock_restrict_self, this.fd, 0],
    ]);
  }

  close(): void {
    hostCall(SYS_close, this.fd);
  }
}
