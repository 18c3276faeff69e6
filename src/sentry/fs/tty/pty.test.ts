import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EAGAIN, EIO, ERESTARTSYS } from '../../../abi/errno.ts';
import { POLLHUP, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { O_NONBLOCK, O_RDWR } from '../../../abi/fs/fcntl.ts';
import {
  TIOCPKT_FLUSHREAD,
  TIOCPKT_FLUSHWRITE,
  TIOCPKT_IOCTL,
  TIOCPKT_START,
  TIOCPKT_STOP,
} from '../../../abi/ioctl.ts';
import { SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH } from '../../../abi/signal/signal.ts';
import * as T from '../../../abi/tty/termios.ts';
import { KernelIo } from '../../base/io.ts';
import type { Timer, TimeSource } from '../../base/time.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { ControllingTty, TtyHost } from './job_control.ts';
import { Pty } from './pty.ts';
import { MasterFile, SlaveFile } from './pty_file.ts';
import type { Termios } from './termios.ts';
import { makePty, session, signals } from './testing.test.helper.ts';

class FakeTime implements TimeSource {
  now = 1e9;
  realtimeNsec = 0;
  private readonly armed: Map<Timer, number> = new Map();
  monotonicNs(): number {
    return this.now;
  }
  recentRealtimeSec(): number {
    return this.realtimeSec();
  }
  realtimeSec(): number {
    return 0;
  }
  arm(timer: Timer, at: number): void {
    this.armed.set(timer, at);
    timer.index = 0;
  }
  cancel(timer: Timer): void {
    this.armed.delete(timer);
    timer.index = -1;
  }
  advance(ns: number): void {
    this.now += ns;
    for (const [timer, at] of [...this.armed]) {
      if (at > this.now) continue;
      this.cancel(timer);
      timer.target.onTimer(timer, this.now);
    }
  }
}

const time = new FakeTime();
const ctx = { time } as unknown as VfsContext;
const inode = new AnonInode(new AnonFs('test', 0), 0);

function read(file: SlaveFile | MasterFile, len = 100): string | number {
  const b = Buffer.alloc(len);
  const n = file.read(ctx, new KernelIo(b));
  return n < 0 ? n : b.toString('latin1', 0, n);
}

function write(file: SlaveFile | MasterFile, text: string): number {
  return file.write(ctx, new KernelIo(Buffer.from(text, 'latin1')));
}

function pair(change?: (t: Termios) => void, flags = 0): { pty: Pty; slave: SlaveFile; master: MasterFile } {
  const pty = makePty(change);
  return {
    pty,
    slave: new SlaveFile(inode, O_RDWR | flags, pty),
    master: new MasterFile(inode, O_RDWR, pty),
  };
}

function raw(min: number, time: number): (t: Termios) => void {
  return (t) => {
    t.iflag = 0;
    t.lflag = 0;
    t.cc[T.VMIN] = min;
    t.cc[T.VTIME] = time;
  };
}

test('pty: bytes both ways', () => {
  const { slave, master } = pair();
  assert.equal(write(master, 'hi\n'), 3);
  assert.equal(read(slave), 'hi\n');
  assert.equal(write(slave, 'yes\n'), 4);
  assert.equal(read(master), 'hi\r\nyes\r\n');
  assert.equal(read(master), -EAGAIN);
  assert.equal(read(slave), -EAGAIN);
});

test('pty: VMIN counts bytes', () => {
  const { pty, slave, master } = pair(raw(3, 0));
  write(master, 'ab');
  assert.equal(read(slave), -EAGAIN);
  assert.equal(pty.slavePoll() & POLLIN, 0);
  assert.equal(read(slave, 2), 'ab', 'a shorter buffer needs no more than it holds');
  write(master, 'abcd');
  assert.equal(pty.slavePoll() & POLLIN, POLLIN);
  assert.equal(read(slave), 'abcd');
});

test('pty: VMIN 0, VTIME 0 never waits', () => {
  const { slave, master } = pair(raw(0, 0));
  assert.equal(read(slave), '');
  write(master, 'x');
  assert.equal(read(slave), 'x');
});

test('pty: VTIME alone limits the wait for the first byte', () => {
  const { slave, master } = pair(raw(0, 5));
  assert.equal(read(slave), -EAGAIN);
  time.advance(4e8);
  assert.equal(read(slave), -EAGAIN);
  time.advance(1e8);
  assert.equal(read(slave), '');
  assert.equal(read(slave), -EAGAIN);
  write(master, 'x');
  assert.equal(read(slave), 'x');
  const { slave: nonblocking } = pair(raw(0, 5), O_NONBLOCK);
  assert.equal(read(nonblocking), -EAGAIN);
});

test('pty: VMIN and VTIME wait between bytes', () => {
  const { slave, master } = pair(raw(5, 2));
  assert.equal(read(slave), -EAGAIN);
  time.advance(10e9);
  assert.equal(read(slave), -EAGAIN, 'no limit before the first byte');
  write(master, 'a');
  assert.equal(read(slave), -EAGAIN);
  time.advance(1e8);
  write(master, 'b');
  time.advance(1e8);
  assert.equal(read(slave), -EAGAIN, 'each byte starts the time anew');
  time.advance(1e8);
  assert.equal(read(slave), 'ab');
});

test('pty: output waits while the master does not read', () => {
  const { pty, slave, master } = pair(raw(1, 0));
  assert.equal(write(slave, 'x'.repeat(50000)), 12287);
  assert.equal(write(slave, 'x'), -EAGAIN);
  assert.equal(pty.slavePoll() & POLLOUT, 0);
  assert.equal((read(master, 10000) as string).length, 10000);
  assert.equal(pty.slavePoll() & POLLOUT, POLLOUT);
});

test('pty: packet mode', () => {
  const { pty, slave, master } = pair();
  pty.packet = true;
  write(slave, 'a');
  assert.equal(read(master), '\0a');
  write(master, '\x13');
  assert.equal(read(master), String.fromCharCode(TIOCPKT_STOP));
  write(master, '\x11');
  assert.equal(read(master), String.fromCharCode(TIOCPKT_START));
  write(master, '\x03');
  assert.equal(read(master), String.fromCharCode(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE));
  const { iflag, lflag } = pty.termios;
  pty.termios.lflag |= T.EXTPROC;
  pty.termiosChanged(iflag, lflag, pty.flowIsStandard());
  assert.equal((read(master) as string).charCodeAt(0), TIOCPKT_IOCTL);
});

test('pty: the window size', () => {
  signals.length = 0;
  const { pty } = pair();
  pty.resize(24, 80, 0, 0);
  pty.resize(24, 80, 0, 0);
  assert.deepEqual(signals, [`7:${SIGWINCH}`]);
});

test('pty: the last slave closes', () => {
  const pty = makePty();
  const master = new MasterFile(inode, O_RDWR, pty);
  pty.output.write(Buffer.from('bye'), 0, 3);
  pty.slaveFileClosed();
  assert.equal(pty.masterPoll() & POLLHUP, POLLHUP);
  assert.equal(read(master), 'bye');
  assert.equal(read(master), -EIO);
  assert.equal(write(master, 'x'), -EIO);
  const again = new SlaveFile(inode, O_RDWR, pty);
  assert.equal(read(master), -EAGAIN);
  assert.equal(read(again), -EAGAIN);
});

test('pty: the master closes', () => {
  const { slave, master, pty } = pair();
  signals.length = 0;
  master.unref();
  assert.deepEqual(signals, [`leader:${SIGHUP}`, `leader:${SIGCONT}`]);
  assert.equal(pty.session, null);
  assert.equal(read(slave), '');
  assert.equal(write(slave, 'x'), -EIO);
  assert.equal(slave.poll() & POLLHUP, POLLHUP);
});

/** A caller in a group that may be in the background. */
class Caller implements TtyHost {
  tty: ControllingTty | null = null;
  pgrp = 9;
  orphaned = false;
  ignored = false;
  readonly sent: string[] = [];
  processOf(): this {
    return this;
  }
  sessionOf(): typeof session {
    return session;
  }
  pgrpOf(): number {
    return this.pgrp;
  }
  isSessionLeader(): boolean {
    return true;
  }
  sessionOfPgrp(): typeof session {
    return session;
  }
  isOrphaned(): boolean {
    return this.orphaned;
  }
  blocksOrIgnores(): boolean {
    return this.ignored;
  }
  signalPgrp(_s: unknown, pgrp: number, sig: number): void {
    this.sent.push(`${pgrp}:${sig}`);
  }
  signalLeader(): void {}
  keepForeground(): void {}
  clearTty(): void {
    this.tty = null;
  }
}

test('pty: background processes', () => {
  const caller = new Caller();
  const pty = new Pty(1, caller, { openPeer: () => -1, ptyMasterClosed: () => {}, ptyGone: () => {} });
  const slave = new SlaveFile(inode, O_RDWR, pty);
  pty.adopt(ctx);
  assert.equal(pty.foreground, 9);
  assert.equal(read(slave), -EAGAIN);
  caller.pgrp = 10;
  assert.equal(read(slave), -ERESTARTSYS);
  assert.deepEqual(caller.sent, [`10:${SIGTTIN}`]);
  caller.ignored = true;
  assert.equal(read(slave), -EIO);
  caller.ignored = false;
  caller.orphaned = true;
  assert.equal(read(slave), -EIO);
  caller.orphaned = false;
  caller.sent.length = 0;
  assert.equal(write(slave, 'x'), 1, 'without TOSTOP background output is free');
  pty.termios.lflag |= T.TOSTOP;
  assert.equal(write(slave, 'x'), -ERESTARTSYS);
  assert.deepEqual(caller.sent, [`10:${SIGTTOU}`]);
  caller.ignored = true;
  assert.equal(write(slave, 'x'), 1, 'nor does an ignored SIGTTOU stop it');
  caller.sent.length = 0;
  pty.leaderExited();
  assert.deepEqual(caller.sent, [`9:${SIGHUP}`]);
  assert.equal(caller.tty, null);
});
