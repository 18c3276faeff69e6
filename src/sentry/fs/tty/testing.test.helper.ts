// For tests of terminals: a pty without processes, and one of the host's own to compare with.

import { POLLIN } from '../../../abi/events/poll.ts';
import { AT_FDCWD, O_NOCTTY, O_NONBLOCK, O_RDWR } from '../../../abi/fs/fcntl.ts';
import { TCSETS, TIOCGPTN, TIOCSPTLCK } from '../../../abi/ioctl.ts';
import { SYS_close, SYS_ioctl, SYS_openat, SYS_poll, SYS_read, SYS_write } from '../../../abi/syscall.ts';
import { ECHO, ECHONL } from '../../../abi/tty/termios.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { TtyHost, TtySession } from './job_control.ts';
import { Pty, type PtyOwner } from './pty.ts';
import { putTermios, type Termios } from './termios.ts';

/** How long the host may take to echo; and the flags that make it. */
const WORKER_MS = 5;
const ECHOES = ECHO | ECHONL;

/** Signals that a terminal sent, as "pgrp:sig". */
export const signals: string[] = [];

export const session: TtySession = { sid: 7 };

/** One process in one group, always in the foreground. */
export const host: TtyHost = {
  processOf: () => ({ tty: null }),
  sessionOf: () => session,
  pgrpOf: () => 7,
  isSessionLeader: () => false,
  sessionOfPgrp: () => session,
  isOrphaned: () => false,
  blocksOrIgnores: () => false,
  signalPgrp: (_s, pgrp, sig) => {
    signals.push(`${pgrp}:${sig}`);
  },
  signalLeader: (_s, sig) => {
    signals.push(`leader:${sig}`);
  },
  keepForeground: () => {},
  clearTty: () => {},
};

const owner: PtyOwner = { openPeer: () => -1, ptyMasterClosed: () => {}, ptyGone: () => {} };

/** A pty with an open slave and a foreground group 7. */
export function makePty(change?: (t: Termios) => void): Pty {
  const pty = new Pty(0, host, owner);
  pty.slaveOpened();
  pty.session = session;
  pty.foreground = 7;
  if (change !== undefined) {
    const { iflag, lflag } = pty.termios;
    change(pty.termios);
    pty.termiosChanged(iflag, lflag, true);
  }
  return pty;
}

/** What typing `input` shows, and what a program then reads: every read until there is nothing more. */
export interface Outcome {
  readonly echo: string;
  readonly reads: readonly string[];
}

export function typeInto(pty: Pty, input: string): Outcome {
  const bytes = Buffer.from(input, 'latin1');
  pty.feed(bytes, 0, bytes.length);
  const out = Buffer.alloc(65536);
  const echo = out.toString('latin1', 0, pty.drainOutput(out, 0, out.length));
  const reads: string[] = [];
  while (pty.ldisc.readable(1)) reads.push(out.toString('latin1', 0, pty.ldisc.read(out, 0, 4096)));
  return { echo, reads };
}

/** The same on a fresh pty of the host; null when the host gives none. */
export function typeIntoHost(termios: Termios, input: string): Outcome | null {
  const b = HostBuffer.alloc(8192);
  const open = (path: string): number =>
    hostCall(SYS_openat, AT_FDCWD, b.putString(path), O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
  const master = open('/dev/ptmx');
  if (master < 0) return null;
  b.view.setInt32(0, 0, true);
  hostCall(SYS_ioctl, master, TIOCSPTLCK, b.addr);
  hostCall(SYS_ioctl, master, TIOCGPTN, b.addr);
  const slave = open(`/dev/pts/${b.view.getUint32(0, true)}`);
  if (slave < 0) {
    hostCall(SYS_close, master);
    return null;
  }
  putTermios(b.view, termios);
  hostCall(SYS_ioctl, slave, TCSETS, b.addr);
  b.u8.set(Buffer.from(input, 'latin1'));
  hostCall(SYS_write, master, b.addr, input.length);
  // poll(2) on the slave waits for the host's line discipline to have seen the input.
  b.view.setInt32(0, slave, true);
  b.view.setInt32(4, POLLIN, true);
  hostCall(SYS_poll, b.addr, 1, 0);
  let echo = '';
  for (;;) {
    // What is echoed goes through a worker of the host's, which may be late on a busy machine.
    b.view.setInt32(0, master, true);
    b.view.setInt32(4, POLLIN, true);
    hostCall(SYS_poll, b.addr, 1, echo === '' && (termios.lflag & ECHOES) !== 0 ? WORKER_MS : 0);
    const n = hostCall(SYS_read, master, b.addr, 4096);
    if (n <= 0) break;
    echo += Buffer.from(b.u8.subarray(0, n)).toString('latin1');
  }
  const reads: string[] = [];
  for (;;) {
    b.view.setInt32(0, slave, true);
    b.view.setInt32(4, POLLIN, true);
    if (hostCall(SYS_poll, b.addr, 1, 0) !== 1) break;
    const n = hostCall(SYS_read, slave, b.addr, 4096);
    if (n < 0) break;
    reads.push(Buffer.from(b.u8.subarray(0, n)).toString('latin1'));
    if (reads.length > 100) break;
  }
  hostCall(SYS_close, slave);
  hostCall(SYS_close, master);
  return { echo, reads };
}
