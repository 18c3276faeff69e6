// Capabilities of this process (capabilities(7)), which Linux keeps per thread, and core files.

import * as C from '../abi/process/capability.ts';
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAPBSET_DROP,
  PR_SET_NO_NEW_PRIVS,
} from '../abi/process/prctl.ts';
import { RLIMIT_CORE } from '../abi/process/resource.ts';
import { SYS_capget, SYS_capset, SYS_prctl, SYS_prlimit64 } from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { onAllThreads } from './all_threads.ts';
import { HostBuffer } from './buffer.ts';
import { type ChildCall, optional } from './spawn.ts';
import { hostCall } from './syscall.ts';

const TWO32 = 2 ** 32;
const DATA_AT = C.SIZEOF_USER_CAP_HEADER;
const caps = HostBuffer.alloc(64);

/** Those that this thread may have, a bit each (capget(2)). */
export function permittedCapabilities(): bigint {
  C.encodeUserCapHeader(caps.view, 0, { version: C._LINUX_CAPABILITY_VERSION_3, pid: 0 });
  if (hostCall(SYS_capget, caps.addr, caps.addr + DATA_AT) < 0) return 0n;
  const low = C.decodeUserCapData(caps.view, DATA_AT).permitted;
  const high = C.decodeUserCapData(caps.view, DATA_AT + C.SIZEOF_USER_CAP_DATA).permitted;
  return BigInt(high) * BigInt(TWO32) + BigInt(low);
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

/** No core file is made of this process: it would hold the guests' memory. 1 byte is the limit that also keeps a program behind core_pattern off (core(5)). */
export function leaveNoCore(): void {
  putU64(caps.view, 0, 1);
  putU64(caps.view, 8, 1);
  // Refused where the hard limit is 0, which is as good.
  hostCall(SYS_prlimit64, 0, RLIMIT_CORE, caps.addr, 0);
}

/** Has all threads keep these alone, and none get others; 0 or -errno. */
export function keepCapabilities(kept: readonly number[]): number {
  return Math.min(onAllThreads(dropCalls(kept)), 0);
}
