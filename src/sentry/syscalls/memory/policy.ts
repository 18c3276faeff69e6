// Memory policies and protection keys, as a kernel without NUMA on a CPU without keys: mbind(2), set_mempolicy(2),
// get_mempolicy(2), migrate_pages(2), move_pages(2), pkeys(7).

import { EINVAL, ENOSPC, ENOSYS } from '../../../abi/errno.ts';
import { PKEY_ACCESS_MASK } from '../../../abi/memory/mman.ts';
import {
  SYS_get_mempolicy,
  SYS_mbind,
  SYS_migrate_pages,
  SYS_move_pages,
  SYS_pkey_alloc,
  SYS_pkey_free,
  SYS_pkey_mprotect,
  SYS_set_mempolicy,
  SYS_set_mempolicy_home_node,
} from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, HEX, INT, PID, PROT, SIZE } from '../kinds.ts';
import { sys } from '../row.ts';
import { mprotect } from './map.ts';

/** Implements set_mempolicy(2), mbind(2), move_pages(2) and their like as a kernel built without CONFIG_NUMA does. */
function noNuma(): number {
  countUnsupported('NUMA memory policy');
  return -ENOSYS;
}

/** Implements pkey_alloc(2) on a CPU without protection keys. */
function pkey_alloc(_t: Task, flags: number, rights: number): number {
  return flags !== 0 || (rights & ~PKEY_ACCESS_MASK) !== 0 ? -EINVAL : -ENOSPC;
}

/** Implements pkey_free(2): no key was ever given out. */
function pkey_free(): number {
  return -EINVAL;
}

/** Implements pkey_mprotect(2): key -1 is mprotect. */
function pkey_mprotect(t: Task, addr: number, len: number, prot: number, pkey: number): number {
  return pkey === -1 ? mprotect(t, addr, len, prot) : -EINVAL;
}

const NUMA = 'not: ENOSYS, as a kernel without NUMA';
const KEYS = 'as a CPU without protection keys';

export const rows = [
  sys(SYS_set_mempolicy, [HEX, ADDR, SIZE], noNuma, NUMA),
  sys(SYS_get_mempolicy, [ADDR, ADDR, SIZE, ADDR, HEX], noNuma, NUMA),
  sys(SYS_mbind, [ADDR, SIZE, HEX, ADDR, SIZE, HEX], noNuma, NUMA),
  sys(SYS_set_mempolicy_home_node, [ADDR, SIZE, SIZE, SIZE], noNuma, NUMA),
  sys(SYS_migrate_pages, [PID, SIZE, ADDR, ADDR], noNuma, NUMA),
  sys(SYS_move_pages, [PID, SIZE, ADDR, ADDR, ADDR, HEX], noNuma, NUMA),
  sys(SYS_pkey_alloc, [INT, HEX], pkey_alloc, KEYS),
  sys(SYS_pkey_free, [INT], pkey_free, KEYS),
  sys(SYS_pkey_mprotect, [ADDR, SIZE, PROT, INT], pkey_mprotect, KEYS),
];
