/** poll(2) events: <asm/poll.h>. */

export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLRDBAND = 0x80;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLMSG = 0x400;
export const POLLREMOVE = 0x1000;
export const POLLRDHUP = 0x2000;

/** Layout of struct pollfd. */
export const SIZEOF_POLLFD = 8;
export const POLLFD_FD = 0;
export const POLLFD_EVENTS = 4;
export const POLLFD_REVENTS = 6;

/** poll(2). */
export type Pollfd = {
  fd: number;
  events: number;
  revents: number;
};

export function encodePollfd(view: DataView, off: number, s: Pollfd): void {
  view.setInt32(off + POLLFD_FD, s.fd, true);
  view.setInt16(off + POLLFD_EVENTS, s.events, true);
  view.setInt16(off + POLLFD_REVENTS, s.revents, true);
}

export function decodePollfd(view: DataView, off: number): Pollfd {
  return {
    fd: view.getInt32(off + POLLFD_FD, true),
    events: view.getInt16(off + POLLFD_EVENTS, true),
    revents: view.getInt16(off + POLLFD_REVENTS, true),
  };
}
