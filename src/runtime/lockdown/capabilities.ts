// What of root's rights (capabilities(7)) the kernel process keeps while programs run: those over files that it has to read
// or write for them, and over a network that it has taken. All else goes, on every thread and for good.

import { readFileSync } from 'node:fs';
import { F_GETFL, O_ACCMODE, O_RDONLY } from '../../abi/fs/fcntl.ts';
import { STAT_ST_MODE, STAT_ST_UID } from '../../abi/fs/stat.ts';
import * as C from '../../abi/process/capability.ts';
import { SYS_fcntl, SYS_fstat, SYS_geteuid } from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { keepCapabilities, leaveNoCore, permittedCapabilities } from '../../host/capabilities.ts';
import { hostCall } from '../../host/syscall.ts';

/** What of a sandbox's options decides. */
interface Needs {
  readonly gofer: boolean;
  readonly overlay: string | null;
  readonly mounts: readonly { readonly shared: boolean; readonly readonly: boolean }[];
  readonly network: { readonly mode: string };
}

const YAMA = '/proc/sys/kernel/yama/ptrace_scope';
/** YAMA_SCOPE_CAPABILITY. */
const YAMA_ADMIN = '2';
/** S_IRUSR | S_IWUSR. */
const OWNER_RW = 0o600;
const stat = HostBuffer.alloc(144);

/** A file that may be opened anew to write (/dev/stdout inside), and that its mode alone does not let us. */
export function isForced(fd: number): boolean {
  const mode = hostCall(SYS_fcntl, fd, F_GETFL, 0);
  if (mode < 0 || (mode & O_ACCMODE) === O_RDONLY || hostCall(SYS_fstat, fd, stat.addr) < 0) return false;
  const own = stat.view.getUint32(STAT_ST_UID, true) === hostCall(SYS_geteuid);
  return !own || (stat.view.getUint32(STAT_ST_MODE, true) & OWNER_RW) !== OWNER_RW;
}

/** Does Yama let processes with CAP_SYS_PTRACE alone look at others, even at their own children's calls? */
function yamaAsks(): boolean {
  try {
    return readFileSync(YAMA, 'latin1').trim() === YAMA_ADMIN;
  } catch {
    return false;
  }
}

/** The capabilities that a sandbox needs, as far as there are `had`. */
function neededCapabilities(o: Needs, had: bigint, forced: boolean): number[] {
  // Files that root reads as nobody's but its own right. Containers often have the wider right alone.
  const reading = (had >> BigInt(C.CAP_DAC_READ_SEARCH)) & 1n ? C.CAP_DAC_READ_SEARCH : C.CAP_DAC_OVERRIDE;
  const all = o.gofer ? [] : [reading];
  if (!o.gofer && (o.overlay !== null || o.mounts.some((m) => m.shared && !m.readonly)))
    all.push(C.CAP_CHOWN, C.CAP_DAC_OVERRIDE, C.CAP_FOWNER, C.CAP_FSETID);
  if (yamaAsks()) all.push(C.CAP_SYS_PTRACE);
  if (forced && !o.gofer) all.push(C.CAP_DAC_OVERRIDE);
  const { mode } = o.network;
  if (mode === 'user' || mode === 'host') all.push(C.CAP_NET_BIND_SERVICE);
  if (mode === 'sandbox') all.push(C.CAP_NET_ADMIN, C.CAP_NET_RAW);
  return [...new Set(all)].filter((cap) => (had >> BigInt(cap)) & 1n);
}

export interface Kept {
  /** Those that this process has still; null when it had none to give up. */
  readonly capabilities: readonly number[] | null;
  /** -errno when they could not be given up everywhere, else 0. */
  readonly error: number;
}

/** Gives up capabilities on all threads, and core files; `descriptors` are those that are handed on. */
export function dropCapabilities(o: Needs, descriptors: readonly number[]): Kept {
  leaveNoCore();
  const had = permittedCapabilities();
  if (had === 0n) return { capabilities: null, error: 0 };
  const capabilities = neededCapabilities(o, had, descriptors.some(isForced));
  return { capabilities, error: keepCapabilities(capabilities) };
}
