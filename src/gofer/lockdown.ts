// What the gofer gives up once all directories are attached, for all of its threads and for good: files outside of them, capabilities
// that are not about files, and every system call but those of gofer_calls.ts. What the host refuses is told.

import { EPERM, errnoName } from '../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_PATH } from '../abi/fs/fcntl.ts';
import { PATH_MAX } from '../abi/limits.ts';
import * as C from '../abi/process/capability.ts';
import * as L from '../abi/process/landlock.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../abi/process/seccomp.ts';
import { SYS_close, SYS_openat } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { type CallPart, enginePart, rulesOf } from '../host/call_parts.ts';
import { keepCapabilities, permittedCapabilities } from '../host/capabilities.ts';
import { ownCodeRanges } from '../host/code_range.ts';
import {
  ALL,
  CHANGE,
  FILL,
  LIST,
  landlockAbi,
  landlockRefusal,
  READ,
  Ruleset,
  signalsOfThreads,
} from '../host/landlock.ts';
import { installFilter } from '../host/seccomp.ts';
import { hostCall } from '../host/syscall.ts';
import { CHANGING_PART, SERVING_PART } from './gofer_calls.ts';
import type { Given, Tree } from './held.ts';
import { REFUSED } from './protocol.ts';

/** The first version that can let files change directories. */
const ABI_OF_REFER = 2;
const path = HostBuffer.alloc(PATH_MAX + 1);

export function partsOf(trees: readonly Tree[]): CallPart[] {
  const parts = [enginePart(ownCodeRanges(), process.pid), SERVING_PART];
  if (trees.some((t) => t.writes)) parts.push(CHANGING_PART);
  return parts;
}

/** Allows `access` of what is at `name` in a directory; 0 or -errno. */
function allowAt(rules: Ruleset, dir: number, name: string, access: number): number {
  const fd = hostCall(SYS_openat, dir, path.putString(name), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  // Gone meanwhile: nothing needs to be allowed there.
  if (fd < 0) return 0;
  // Linux says when something makes no sense of what is no directory.
  let r = rules.allow(fd, access, true);
  if (r < 0) r = rules.allow(fd, access, false);
  hostCall(SYS_close, fd);
  return r;
}

function restrictFiles(trees: readonly Tree[], given: readonly Given[]): string {
  const abi = landlockAbi();
  if (abi < 0) return `${REFUSED}Landlock: ${landlockRefusal(abi)}`;
  if (abi < ABI_OF_REFER && trees.some((t) => t.writes))
    return `${REFUSED}Landlock: its first version lets no file change its directory`;
  const net = L.LANDLOCK_ACCESS_NET_BIND_TCP | L.LANDLOCK_ACCESS_NET_CONNECT_TCP;
  const scopes = L.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | (signalsOfThreads() ? L.LANDLOCK_SCOPE_SIGNAL : 0);
  const rules = Ruleset.create(abi, ALL, net, scopes);
  if (typeof rules === 'number') return `${REFUSED}Landlock: ${landlockRefusal(rules)}`;
  // Threads' states are read for the kernel.
  let r = allowAt(rules, AT_FDCWD, '/proc', L.LANDLOCK_ACCESS_FS_READ_FILE);
  for (const { fd, writes, only } of trees) {
    const access = writes ? CHANGE : READ;
    if (r < 0) break;
    r = rules.allow(fd, only === '' ? access : LIST, true);
    if (r >= 0 && only !== '') r = allowAt(rules, fd, only, access);
  }
  // A directory stands for what `exec` opens in it: terminals.
  for (const { fd, isDirectory } of given)
    if (r >= 0) r = isDirectory ? rules.allow(fd, FILL, true) : rules.allowAgain(fd);
  if (r >= 0) r = rules.restrict();
  rules.close();
  return r < 0 ? `${REFUSED}Landlock: ${landlockRefusal(r)}` : `Landlock ${abi}, on ${r} threads`;
}

/** Capabilities over files alone: those that reading takes, and, where something may be written, those that a program inside may have. */
function dropCapabilities(trees: readonly Tree[], forced: boolean): string {
  const had = permittedCapabilities();
  if (had === 0n) return 'no capabilities';
  const reading = (had >> BigInt(C.CAP_DAC_READ_SEARCH)) & 1n ? C.CAP_DAC_READ_SEARCH : C.CAP_DAC_OVERRIDE;
  const wanted = [reading];
  if (trees.some((t) => t.writes)) wanted.push(C.CAP_CHOWN, C.CAP_DAC_OVERRIDE, C.CAP_FOWNER, C.CAP_FSETID);
  if (forced) wanted.push(C.CAP_DAC_OVERRIDE);
  const kept = [...new Set(wanted)].filter((cap) => (had >> BigInt(cap)) & 1n);
  const r = keepCapabilities(kept);
  return r < 0 ? `${REFUSED}capabilities: ${errnoName(-r)}` : `capabilities: ${kept.join(' ')}`;
}

/**
 * Gives up what is not needed for `trees` and for opening `given` descriptors anew, which takes a right over others' files when `forced`.
 * What was done, a line each.
 */
export function sealUp(trees: readonly Tree[], given: readonly Given[], forced: boolean): string {
  // Capabilities first: /proc lists our threads only until Landlock holds.
  const said = [dropCapabilities(trees, forced), restrictFiles(trees, given)];
  const rules = rulesOf(partsOf(trees));
  try {
    const filter = rules.compile(SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM);
    installFilter(filter);
    said.push(`${rules.numbers.length} system calls`);
  } catch (error) {
    said.push(`${REFUSED}seccomp: ${(error as Error).message}`);
  }
  return said.join('\n');
}
