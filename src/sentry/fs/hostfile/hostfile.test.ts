import assert from 'node:assert/strict';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EAGAIN, EPIPE } from '../../../abi/errno.ts';
import { POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { F_GETFL, O_NONBLOCK, O_RDWR } from '../../../abi/fs/fcntl.ts';
import { SEEK_CUR, SEEK_SET } from '../../../abi/fs/fs.ts';
import { S_IFIFO, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import { SYS_close, SYS_fcntl, SYS_pipe2, SYS_read, SYS_write } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { HostPoller } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { KernelIo } from '../../base/io.ts';
import { Waiter } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { HostFile } from './host_file.ts';
import { HostFiles } from './stdio.ts';

const raised: number[] = [];
const ctx = {
  raise: (sig: number) => raised.push(sig),
  rlimit: () => Number.POSITIVE_INFINITY,
} as unknown as VfsContext;
const poller = new HostPoller();
const files = new HostFiles({
  poller,
  memfile: null,
  readsBack: false,
  showsPaths: true,
  fileClosed: () => {},
});
const b = HostBuffer.alloc(4096);

function pipe(): [number, number] {
  assert.equal(hostCall(SYS_pipe2, b.addr, 0), 0);
  return [b.view.getInt32(0, true), b.view.getInt32(4, true)];
}

function open(fd: number): HostFile {
  const f = files.open(fd);
  assert.ok(f instanceof HostFile);
  return f;
}

function send(fd: number, text: string): void {
  b.u8.set(Buffer.from(text));
  hostCall(SYS_write, fd, b.addr, text.length);
}

function read(f: HostFile, len = 100): string | number {
  const out = Buffer.alloc(len);
  const n = f.read(ctx, new KernelIo(out));
  return n < 0 ? n : out.toString('latin1', 0, n);
}

function write(f: HostFile, text: string): number {
  return f.write(ctx, new KernelIo(Buffer.from(text)));
}

test('host pipe: reads without waiting and leaves the shared description alone', () => {
  const [r, w] = pipe();
  const f = open(r);
  assert.equal(read(f), -EAGAIN);
  assert.equal(f.poll() & POLLIN, 0);
  assert.equal(hostCall(SYS_fcntl, r, F_GETFL, 0) & O_NONBLOCK, 0);
  assert.equal(f.inode.mode & S_IFMT, S_IFIFO);
  send(w, 'hello');
  assert.equal(f.poll() & POLLIN, POLLIN);
  assert.equal(read(f, 3), 'hel');
  assert.equal(read(f), 'lo');
  hostCall(SYS_close, w);
  assert.equal(read(f), '');
  f.unref();
  hostCall(SYS_close, r);
});

test('host pipe: waiters hear of data, and only while they wait', () => {
  const [r, w] = pipe();
  const f = open(r);
  let woken = 0;
  const waiter = new Waiter({ onReady: () => woken++ }, POLLIN);
  f.queue()!.add(waiter);
  assert.equal(poller.dispatch(0), 0);
  send(w, 'x');
  assert.equal(poller.dispatch(1000), 1);
  assert.equal(woken, 1);
  assert.equal(poller.dispatch(0), 0, 'what nobody takes does not keep the poller awake');
  assert.equal(read(f), 'x');
  send(w, 'y');
  assert.equal(poller.dispatch(1000), 1, 'a transfer watches again');
  waiter.remove();
  send(w, 'z');
  assert.equal(poller.dispatch(0), 0);
  f.unref();
  hostCall(SYS_close, r);
  hostCall(SYS_close, w);
});

test('host pipe: writes until it is full, then until nobody reads', () => {
  const [r, w] = pipe();
  const f = open(w);
  assert.equal(write(f, 'x'.repeat(100000)), 65536);
  assert.equal(write(f, 'x'), -EAGAIN);
  assert.equal(f.poll() & POLLOUT, 0);
  for (let left = 65536; left > 0; ) left -= hostCall(SYS_read, r, b.addr, 4096);
  assert.equal(write(f, 'ok'), 2);
  hostCall(SYS_close, r);
  raised.length = 0;
  assert.equal(write(f, 'x'), -EPIPE);
  assert.deepEqual(raised, [SIGPIPE]);
  f.unref();
  hostCall(SYS_close, w);
});

test('host file: shares the offset with the outside, honours O_APPEND', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-hostfile-'));
  const path = join(dir, 'f');
  writeFileSync(path, '0123456789');
  const fd = openSync(path, 'r+');
  const f = open(fd);
  assert.equal(f.inode.mode & S_IFMT, S_IFREG);
  assert.equal(f.inode.size, 10);
  assert.equal(read(f, 4), '0123');
  assert.equal(f.lseek(ctx, 0, SEEK_CUR), 4);
  assert.equal(hostCall(SYS_read, fd, b.addr, 2), 2, 'the outside goes on behind it');
  assert.equal(read(f, 2), '67');
  assert.equal(f.lseek(ctx, 1, SEEK_SET), 1);
  assert.equal(write(f, 'AB'), 2);
  assert.equal(f.queue(), null);
  const again = f.inode.open(ctx, O_RDWR);
  assert.ok(again instanceof HostFile);
  assert.equal(read(again, 4), '0AB3', 'a reopened file has a position of its own');
  const appending = openSync(path, 'a');
  const g = open(appending);
  assert.equal(g.inode, f.inode);
  assert.equal(write(g, '!'), 1);
  assert.equal(readFileSync(path, 'latin1'), '0AB3456789!');
  for (const file of [f, g, again]) file.unref();
  hostCall(SYS_close, fd);
  hostCall(SYS_close, appending);
  rmSync(dir, { recursive: true });
});
