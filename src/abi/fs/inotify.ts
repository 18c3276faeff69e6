/** inotify(7) events and flags: <linux/inotify.h>. */

export const IN_ACCESS = 0x1;
export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_CLOSE_WRITE = 0x8;
export const IN_CLOSE_NOWRITE = 0x10;
export const IN_OPEN = 0x20;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
export const IN_UNMOUNT = 0x2000;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;
export const IN_CLOSE = 0x18;
export const IN_MOVE = 0xc0;
export const IN_ONLYDIR = 0x1000000;
export const IN_DONT_FOLLOW = 0x2000000;
export const IN_EXCL_UNLINK = 0x4000000;
export const IN_MASK_CREATE = 0x10000000;
export const IN_MASK_ADD = 0x20000000;
export const IN_ISDIR = 0x40000000;
export const IN_ONESHOT = 0x80000000;
export const IN_ALL_EVENTS = 0xfff;
export const IN_CLOEXEC = 0o2000000;
export const IN_NONBLOCK = 0o4000;

/** Layout of struct inotify_event. */
export const SIZEOF_INOTIFY_EVENT = 16;
export const INOTIFY_EVENT_WD = 0;
export const INOTIFY_EVENT_MASK = 4;
export const INOTIFY_EVENT_COOKIE = 8;
export const INOTIFY_EVENT_LEN = 12;

/** Followed by len bytes of name. */
export type InotifyEvent = {
  wd: number;
  mask: number;
  cookie: number;
  len: number;
};

export function encodeInotifyEvent(view: DataView, off: number, s: InotifyEvent): void {
  view.setInt32(off + INOTIFY_EVENT_WD, s.wd, true);
  view.setUint32(off + INOTIFY_EVENT_MASK, s.mask, true);
  view.setUint32(off + INOTIFY_EVENT_COOKIE, s.cookie, true);
  view.setUint32(off + INOTIFY_EVENT_LEN, s.len, true);
}
