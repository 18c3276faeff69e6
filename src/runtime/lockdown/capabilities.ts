// What of root's rights (capabilities(7)) the kernel process keeps while programs run: those over files that it has to read
// or write for them, and over a network that it has taken. All else goes, on every thread and for good.

import { readFileSync } from 'node:fs';
import { F_GETFL, O_ACCMODE, O_RDONLY } from '../../abi/fs/fcntl.ts';
import { STAT_ST_MODE, STAT_ST_UID } from '../../abi/fs/stat.ts';
import * as C from '../../abi/process/capability.ts';
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAPBSET_DROP,
  PR_SET_NO_NEW_PRIVS,
} from '../../abi/process/prctl.ts';
import { RLIMIT_CORE } from '../../abi/process/resource.ts';
import {
  SYS_capget,
  SYS_capset,
  SYS_fcntl,
  SYS_fstat,
  SYS_geteuid,
  SYS_prctl,
  SYS_prlimit64,
} from '../../abi/syscall.ts';
import { putU64 } from '../../abi/u64.ts';
import { onAllThreads } from '../../host/all_threads.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { type ChildCall, optional } from '../../host/spawn.ts';
import { hostCall } from '../../host/syscall.ts';

/** What of a sandbox's options decides. */
interface Needs {
  readonly overlay: string | null;
  readonly mounts: readonly { readonly shared: boolean; readonly readonly: boolean }[];
  readonly network: { readonly mode: string };
}

const YAMA = '/proc/sys/kernel/yama/ptrace_scope';
/** YAMA_SCOPE_CAPABILITY. */
const YAMA_ADMIN = '2';
const TWO32 = 2 ** 32;
/** S_IRUSR | S_IWUSR. */
const OWNER_RW = 0o600;
const DATA_AT = C.SIZEOF_USER_CAP_HEADER;
const caps = HostBuffer.alloc(64);
const stat = HostBuffer.alloc(144);

function permitted(): bigint {
  C.encodeUserCapHeader(caps.view, 0, { version: C._LINUX_CAPABILITY_VERSION_3, pid: 0 });
  if (hostCall(SYS_capget, caps.addr, caps.addr + DATA_AT) < 0) return 0n;
  const low = C.decodeUserCapData(caps.view, DATA_AT).permitted;
  const high = C.decodeUserCapData(caps.view, DATA_AT + C.SIZEOF_USER_CAP_DATA).permitted;
  return BigInt(high) * BigInt(TWO32) + BigInt(low);
}

/** A file that may be opened anew to write (/dev/stdout inside), and that its mode alone does not let us. */
function isForced(fd: number): boolean {
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
  const all = [reading];
  if (o.overlay !== null || o.mounts.some((m) => m.shared && !m.readonly))
    all.push(C.CAP_CHOWN, C.CAP_DAC_OVERRIDE, C.CAP_FOWNER, C.CAP_FSETID);
  if (yamaAsks()) all.push(C.CAP_SYS_PTRACE);
  if (forced) all.push(C.CAP_DAC_OVERRIDE);
  const { mode } = o.network;
  if (mode === 'user' || mode === 'host') all.push(C.CAP_NET_BIND_SERVICE);
  if (mode === 'sandbox') all.push(C.CAP_NET_ADMIN, C.CAP_NET_RAW);
  return [...new Set(all)].filter((cap) => (had >> BigInt(cap)) & 1n);
}

/** The calls after which a thread has those of `kept` alone, and gets no others. */
function dropCalls(kept: readonly number[]): ChildCall[] {
  C.encodeUserCapHeader(caps.view, 0, { version: C._LINUX_CAPABILITY_VERSION_3, pid: 0 });
  for (let half = 0; half < 2; half++) {
    let set = 0;
    for (const cap of kept) if (cap >>> 5 === half) set |= 1 << (cap & 31);
    const data = { effective: set >>> 0, permitted: set >>> 0, inheritable: 0 };
    C.encodeUserCapData(caps.view, DATA_AT + half * C.SIZEOF_USER_CAP_DATA, data);
  }
  const calls: ChildCall[] = [
    [SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
    optional(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
  ];
  // Takes CAP_SETPCAP, which a container may lack; no_new_privs alone denies what the set would let a program gain.
  for (let cap = 0; cap <= C.CAP_LAST_CAP; cap++)
    calls.push(optional(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0));
  calls.push([SYS_capset, caps.addr, caps.addr + DATA_AT]);
  return calls;
}

/** A core file of ours would hold the guests' memory. 1 byte is the limit that also keeps a program behind core_pattern off (core(5)). */
function leaveNoCore(): void {
  putU64(caps.view, 0, 1);
  putU64(caps.view, 8, 1);
  // Refused where the hard limit is 0, which is as good.
  hostCall(SYS_prlimit64, 0, RLIMIT_CORE, caps.addr, 0);
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
  const had = permitted();
  if (had === 0n) return { capabilities: null, error: 0 };
  const capabilities = neededCapabilities(o, had, descriptors.some(isForced));
  return { capabilities, error: Math.min(onAllThreads(dropCalls(capabilities)), 0) };
}
