// The auxiliary vector: getauxval(3). What describes the processor comes from the vector that the host gave this process.

import { PAGE_SIZE, USER_HZ } from '../../abi/limits.ts';
import {
  AT_BASE,
  AT_CLKTCK,
  AT_EGID,
  AT_ENTRY,
  AT_EUID,
  AT_EXECFN,
  AT_FLAGS,
  AT_GID,
  AT_HWCAP,
  AT_HWCAP2,
  AT_MINSIGSTKSZ,
  AT_NULL,
  AT_PAGESZ,
  AT_PHDR,
  AT_PHENT,
  AT_PHNUM,
  AT_PLATFORM,
  AT_RANDOM,
  AT_SECURE,
  AT_SYSINFO_EHDR,
  AT_UID,
  HWCAP2_FSGSBASE,
} from '../../abi/process/auxvec.ts';
import { MINSIGSTKSZ } from '../../abi/signal/signal.ts';
import { SIZEOF_PHDR } from '../../elf/index.ts';
import { hostAuxValue } from '../../host/auxv.ts';
import type { Cred } from '../base/cred.ts';

const ENTRY = 16;

/** A value of the host's vector, or `fallback` where its kernel does not give one. */
function hostAux(type: number, fallback: number): number {
  const value = hostAuxValue(type);
  return value === 0 ? fallback : value;
}

/** What an image puts into the vector. */
export interface AuxInfo {
  readonly phdr: number;
  readonly phnum: number;
  /** Load address of the interpreter, 0 without one. */
  readonly base: number;
  readonly entry: number;
  readonly cred: Cred;
  readonly secure: boolean;
  /** Programs may use rdfsbase and its like. */
  readonly fsgsbase: boolean;
  /** Address of the VDSO, 0 without one. */
  readonly vdso: number;
}

/** The vector as [type, value] in Linux's order, without AT_NULL. Addresses on the stack are given by the caller. */
export function auxEntries(
  info: AuxInfo,
  random: number,
  execfn: number,
  platform: number,
): [number, number][] {
  const c = info.cred;
  const hwcap2 = hostAux(AT_HWCAP2, 0);
  const out: [number, number][] = [];
  if (info.vdso !== 0) out.push([AT_SYSINFO_EHDR, info.vdso]);
  out.push(
    [AT_MINSIGSTKSZ, hostAux(AT_MINSIGSTKSZ, MINSIGSTKSZ)],
    [AT_HWCAP, hostAux(AT_HWCAP, 0)],
    [AT_PAGESZ, PAGE_SIZE],
    [AT_CLKTCK, USER_HZ],
    [AT_PHDR, info.phdr],
    [AT_PHENT, SIZEOF_PHDR],
    [AT_PHNUM, info.phnum],
    [AT_BASE, info.base],
    [AT_FLAGS, 0],
    [AT_ENTRY, info.entry],
    [AT_UID, c.uid],
    [AT_EUID, c.euid],
    [AT_GID, c.gid],
    [AT_EGID, c.egid],
    [AT_SECURE, info.secure ? 1 : 0],
    [AT_RANDOM, random],
    [AT_HWCAP2, info.fsgsbase ? hwcap2 : hwcap2 - (hwcap2 & HWCAP2_FSGSBASE)],
    [AT_EXECFN, execfn],
    [AT_PLATFORM, platform],
  );
  return out;
}

/** Most bytes that auxEntries() and AT_NULL take. */
export const AUX_SIZE_MAX: number = 24 * ENTRY;

/** Writes the vector, AT_NULL included, at `off`; bytes written. */
export function putAuxv(
  view: DataView,
  off: number,
  entries: readonly (readonly [number, number])[],
): number {
  let at = off;
  for (const [type, value] of entries) {
    put(view, at, type);
    put(view, at + 8, value);
    at += ENTRY;
  }
  put(view, at, AT_NULL);
  put(view, at + 8, 0);
  return at + ENTRY - off;
}

function put(view: DataView, at: number, v: number): void {
  view.setUint32(at, v, true);
  view.setUint32(at + 4, Math.floor(v / 0x1_0000_0000), true);
}
