// Text to a descriptor, whole and at once: in a locked-down process Node.js's own streams cannot be made any more, and at its end they
// would come too late.

import { writeSync } from 'node:fs';
import { POLLOUT } from '../abi/events/poll.ts';
import { SYS_poll } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

export const STDERR = 2;
const POLLFD_EVENTS = 4;
const pollfd = HostBuffer.alloc(8);

/** Writes text of bytes (latin1) or characters to a descriptor, waiting as a blocking one would when it is a non-blocking pipe that is full. Errors end it silently. */
export function writeAll(fd: number, text: string, encoding: 'latin1' | 'utf8' = 'utf8'): void {
  let rest = Buffer.from(text, encoding);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      pollfd.view.setInt32(0, fd, true);
      pollfd.view.setInt32(POLLFD_EVENTS, POLLOUT, true);
      if (hostCall(SYS_poll, pollfd.addr, 1, -1) <= 0) return;
    }
  }
}

/** A message of the command's. */
export function complain(text: string): void {
  writeAll(STDERR, text);
}
