/** uname(2) field lengths: <linux/utsname.h>. */

import { getString, putString } from '../bytes.ts';

export const __OLD_UTS_LEN = 8;
export const __NEW_UTS_LEN = 64;

export const UTS_FIELD_SIZE = 65;

/** Layout of struct new_utsname. */
export const SIZEOF_UTSNAME = 390;
export const UTSNAME_SYSNAME = 0;
export const UTSNAME_NODENAME = 65;
export const UTSNAME_RELEASE = 130;
export const UTSNAME_VERSION = 195;
export const UTSNAME_MACHINE = 260;
export const UTSNAME_DOMAINNAME = 325;

/** uname(2); the names are byte strings of at most __NEW_UTS_LEN bytes. */
export type Utsname = {
  sysname: string;
  nodename: string;
  release: string;
  version: string;
  machine: string;
  domainname: string;
};

export function encodeUtsname(view: DataView, off: number, s: Utsname): void {
  putString(view, off + UTSNAME_SYSNAME, UTS_FIELD_SIZE, s.sysname);
  putString(view, off + UTSNAME_NODENAME, UTS_FIELD_SIZE, s.nodename);
  putString(view, off + UTSNAME_RELEASE, UTS_FIELD_SIZE, s.release);
  putString(view, off + UTSNAME_VERSION, UTS_FIELD_SIZE, s.version);
  putString(view, off + UTSNAME_MACHINE, UTS_FIELD_SIZE, s.machine);
  putString(view, off + UTSNAME_DOMAINNAME, UTS_FIELD_SIZE, s.domainname);
}

export function decodeUtsname(view: DataView, off: number): Utsname {
  return {
    sysname: getString(view, off + UTSNAME_SYSNAME, __NEW_UTS_LEN),
    nodename: getString(view, off + UTSNAME_NODENAME, __NEW_UTS_LEN),
    release: getString(view, off + UTSNAME_RELEASE, __NEW_UTS_LEN),
    version: getString(view, off + UTSNAME_VERSION, __NEW_UTS_LEN),
    machine: getString(view, off + UTSNAME_MACHINE, __NEW_UTS_LEN),
    domainname: getString(view, off + UTSNAME_DOMAINNAME, __NEW_UTS_LEN),
  };
}
