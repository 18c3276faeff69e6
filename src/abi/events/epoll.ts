/** epoll(7) events and operations: <sys/epoll.h>. */

export const EPOLL_CLOEXEC = 0o2000000;

export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLRDNORM = 0x40;
export const EPOLLRDBAND = 0x80;
export const EPOLLWRNORM = 0x100;
export const EPOLLWRBAND = 0x200;
export const EPOLLMSG = 0x400;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLNVAL = 0x20;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLWAKEUP = 0x20000000;
export const EPOLLONESHOT = 0x40000000;
export const EPOLLET = 0x80000000;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;

export const EPIOCSPARAMS = 0x40088a01;
export const EPIOCGPARAMS = 0x80088a02;

/** Layout of struct epoll_event. */
export const SIZEOF_EPOLL_EVENT = 12;
export const EPOLL_EVENT_EVENTS = 0;
export const EPOLL_EVENT_DATA = 4;

/** Packed: 12 bytes; data is the program's own. */
export type EpollEvent = {
  events: number;
  dataLo: number;
  dataHi: number;
};

export function encodeEpollEvent(view: DataView, off: number, s: EpollEvent): void {
  view.setUint32(off + EPOLL_EVENT_EVENTS, s.events, true);
  view.setUint32(off + EPOLL_EVENT_DATA, s.dataLo, true);
  view.setUint32(off + EPOLL_EVENT_DATA + 4, s.dataHi, true);
}

export function decodeEpollEvent(view: DataView, off: number): EpollEvent {
  return {
    events: view.getUint32(off + EPOLL_EVENT_EVENTS, true),
    dataLo: view.getUint32(off + EPOLL_EVENT_DATA, true),
    dataHi: view.getUint32(off + EPOLL_EVENT_DATA + 4, true),
  };
}
