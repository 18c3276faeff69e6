import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EMSGSIZE,
  EPERM,
  EPIPE,
  EPROTOTYPE,
  ETOOMANYREFS,
} from '../../../abi/errno.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '../../../abi/events/poll.ts';
import { O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import {
  cmsgLen,
  cmsgSpace,
  MSG_CTRUNC,
  MSG_PEEK,
  MSG_TRUNC,
  SCM_CREDENTIALS,
  SCM_RIGHTS,
  SHUT_RD,
  SHUT_WR,
  SO_PASSCRED,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { encodeSockaddrUn } from '../../../abi/net/un.ts';
import { putU64 } from '../../../abi/u64.ts';
import { KernelIo } from '../../base/io.ts';
import { scratchView } from '../../base/scratch.ts';
import { TestContext } from '../../vfs/context.test.helper.ts';
import type { File } from '../../vfs/file.ts';
import { Message, SockAddr } from '../message.ts';
import { UnixNamespace } from './namespace.ts';
import type { UnixSocket } from './unix.ts';

const ctx = new TestContext();

function address(name: string): SockAddr {
  const a = new SockAddr();
  a.len = encodeSockaddrUn(a.view, 0, name);
  return a;
}

function pair(ns: UnixNamespace, type: number): readonly [UnixSocket, UnixSocket] {
  return ns.createPair(ctx, type, 0, 0) as readonly [UnixSocket, UnixSocket];
}

function make(ns: UnixNamespace, type: number): UnixSocket {
  return ns.create(ctx, type, 0, 0) as UnixSocket;
}

/** An SCM_RIGHTS control message. */
function rights(...fds: number[]): Uint8Array {
  const bytes = new Uint8Array(cmsgSpace(4 * fds.length));
  const v = new DataView(bytes.buffer);
  putU64(v, 0, cmsgLen(4 * fds.length));
  v.setInt32(8, SOL_SOCKET, true);
  v.setInt32(12, SCM_RIGHTS, true);
  for (let i = 0; i < fds.length; i++) v.setInt32(16 + 4 * i, fds[i]!, true);
  return bytes;
}

function send(s: UnixSocket, text: string, control: Uint8Array | null = null, to = '', c = ctx): number {
  const m = new Message();
  if (control !== null) m.setControl(control, control.length);
  if (to !== '') m.addr.len = encodeSockaddrUn(m.addr.view, 0, to);
  return s.sendmsg(c, new KernelIo(Buffer.from(text, 'latin1')), m, 0);
}

interface Received {
  n: number;
  text: string;
  msg: Message;
}

function recv(s: UnixSocket, max: number, flags = 0, room = 0): Received {
  const msg = new Message();
  msg.setControl(new Uint8Array(room), 0);
  const buffer = Buffer.alloc(max);
  const n = s.recvmsg(ctx, new KernelIo(buffer), msg, flags);
  return { n, text: n < 0 ? '' : buffer.toString('latin1', 0, Math.min(n, max)), msg };
}

/** Descriptors of the first control message. */
function receivedFds(m: Message): number[] {
  if (m.controlLen === 0) return [];
  assert.equal(m.view.getInt32(12, true), SCM_RIGHTS);
  const count = (m.view.getUint32(0, true) - 16) / 4;
  return Array.from({ length: count }, (_, i) => m.view.getInt32(16 + 4 * i, true));
}

describe('unix streams', () => {
  test('carry bytes in order, within the send buffer', () => {
    const op = fc.oneof(
      fc.record({ send: fc.integer({ min: 1, max: 100000 }) }),
      fc.record({ recv: fc.integer({ min: 1, max: 100000 }), peek: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 30 }), (ops) => {
        const [a, b] = pair(new UnixNamespace(), SOCK_STREAM);
        let model = Buffer.alloc(0);
        let next = 0;
        for (const o of ops) {
          if ('send' in o) {
            const data = Buffer.alloc(o.send);
            for (let i = 0; i < o.send; i++) data[i] = (next + i) * 17;
            const n = a.sendmsg(ctx, new KernelIo(data), new Message(), 0);
            const free = 212992 - model.length;
            assert.equal(n, free === 0 ? -EAGAIN : Math.min(free, o.send));
            if (n > 0) {
              model = Buffer.concat([model, data.subarray(0, n)]);
              next += n;
            }
          } else {
            const into = Buffer.alloc(o.recv);
            const n = b.recvmsg(ctx, new KernelIo(into), new Message(), o.peek ? MSG_PEEK : 0);
            assert.equal(n, model.length === 0 ? -EAGAIN : Math.min(o.recv, model.length));
            if (n > 0) assert.deepEqual(into.subarray(0, n), model.subarray(0, n));
            if (n > 0 && !o.peek) model = model.subarray(n);
          }
          assert.equal((a.poll() & POLLOUT) !== 0, model.length * 4 <= 212992);
          assert.equal((b.poll() & POLLIN) !== 0, model.length > 0);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('connect, accept, names and credentials', () => {
    const ns = new UnixNamespace();
    const server = make(ns, SOCK_STREAM);
    const client = make(ns, SOCK_STREAM);
    assert.equal(client.connect(ctx, address('\0srv')), -ECONNREFUSED);
    assert.equal(server.bind(ctx, address('\0srv')), 0);
    assert.equal(client.connect(ctx, address('\0srv')), -ECONNREFUSED);
    assert.equal(server.listen(ctx, 0), 0);
    assert.equal(server.accept(ctx, 0), -EAGAIN);
    assert.equal(make(ns, SOCK_DGRAM).connect(ctx, address('\0srv')), -EPROTOTYPE);
    assert.equal(client.connect(ctx, address('\0srv')), 0);
    assert.equal(send(client, 'early'), 5);
    // A backlog of 0 holds one connection.
    const second = make(ns, SOCK_STREAM);
    assert.equal(second.connect(ctx, address('\0srv')), -EAGAIN);
    assert.equal(second.waitQueue, server.peerWait);
    assert.equal(server.poll() & POLLIN, POLLIN);
    const conn = server.accept(ctx, O_NONBLOCK) as UnixSocket;
    assert.equal(conn.nonblocking, true);
    assert.equal(recv(conn, 10).text, 'early');
    const name = new SockAddr();
    client.getpeername(name);
    assert.deepEqual(Buffer.from(name.bytes.subarray(0, name.len)).toString('latin1'), '\x01\0\0srv');
    assert.equal(client.getsockopt(ctx, SOL_SOCKET, SO_PEERCRED, 12), 12);
    assert.equal(scratchView.getInt32(0, true), ctx.tgid);
    server.unref();
    assert.equal(send(conn, 'still'), 5);
    assert.equal(recv(client, 10).text, 'still');
    assert.equal(ns.abstract.size, 0);
  });

  test('closing and shutting down', () => {
    const ns = new UnixNamespace();
    const [a, b] = pair(ns, SOCK_STREAM);
    send(a, 'rest');
    a.shutdown(ctx, SHUT_WR);
    assert.equal(b.poll() & (POLLIN | POLLRDHUP | POLLHUP), POLLIN | POLLRDHUP);
    assert.equal(recv(b, 10).text, 'rest');
    assert.equal(recv(b, 10).n, 0);
    assert.equal(send(a, 'x'), -EPIPE);
    assert.equal(send(b, 'back'), 4);
    b.shutdown(ctx, SHUT_RD);
    assert.equal(a.poll() & POLLHUP, 0);
    b.unref();
    assert.equal(a.poll() & POLLHUP, POLLHUP);
    assert.equal(recv(a, 10).text, 'back');
    const [c, d] = pair(ns, SOCK_STREAM);
    send(c, 'unread');
    d.unref();
    assert.equal(recv(c, 1).n, -ECONNRESET);
    assert.equal(recv(c, 1).n, 0);
  });

  test('a listener that goes resets those who wait', () => {
    const ns = new UnixNamespace();
    const server = make(ns, SOCK_STREAM);
    server.bind(ctx, address('\0s'));
    server.listen(ctx, 5);
    const client = make(ns, SOCK_STREAM);
    client.connect(ctx, address('\0s'));
    server.unref();
    assert.equal(recv(client, 1).n, -ECONNRESET);
    assert.equal(ns.sockets.size, 1);
  });

  test('SO_PEEK_OFF moves on with every look', () => {
    const [a, b] = pair(new UnixNamespace(), SOCK_STREAM);
    send(a, 'abcdef');
    scratchView.setInt32(0, 0, true);
    b.setsockopt(ctx, SOL_SOCKET, SO_PEEK_OFF, 4);
    assert.equal(recv(b, 2, MSG_PEEK).text, 'ab');
    assert.equal(recv(b, 2, MSG_PEEK).text, 'cd');
    assert.equal(recv(b, 3).text, 'abc');
    assert.equal(recv(b, 2, MSG_PEEK).text, 'ef');
  });
});

describe('descriptors and credentials in messages', () => {
  test('come with the bytes that they were sent with', () => {
    const ns = new UnixNamespace();
    const [a, b] = pair(ns, SOCK_STREAM);
    const passed: File = pair(ns, SOCK_STREAM)[0];
    const fd = ctx.fds.install(passed, false, 1000);
    send(a, 'ab');
    assert.equal(send(a, 'cd', rights(fd)), 2);
    send(a, 'ef');
    assert.equal(ns.inflight, 1);
    const r = recv(b, 100, 0, 100);
    assert.equal(r.text, 'abcd');
    const [got] = receivedFds(r.msg);
    assert.equal(ctx.fds.get(got!), passed);
    assert.equal(passed.refs, 2);
    assert.equal(ns.inflight, 0);
    assert.equal(recv(b, 100, 0, 100).text, 'ef');
  });

  test('that do not fit are closed', () => {
    const ns = new UnixNamespace();
    const [a, b] = pair(ns, SOCK_SEQPACKET);
    const passed: File = pair(ns, SOCK_STREAM)[0];
    const fd = ctx.fds.install(passed, false, 1000);
    send(a, 'x', rights(fd, fd, fd, fd));
    assert.equal(passed.refs, 5);
    const r = recv(b, 10, 0, 28);
    assert.equal(receivedFds(r.msg).length, 3);
    assert.equal(r.msg.flags & MSG_CTRUNC, MSG_CTRUNC);
    assert.equal(passed.refs, 4);
    send(a, 'x', rights(fd));
    assert.equal(recv(b, 10).msg.flags & MSG_CTRUNC, MSG_CTRUNC);
    assert.equal(passed.refs, 4);
  });

  test('are limited while in flight', () => {
    const user = new TestContext();
    user.cred.permitted = user.cred.effective = user.cred.inheritable;
    user.fileLimit = 3;
    const ns = new UnixNamespace();
    const [a] = pair(ns, SOCK_STREAM);
    const fd = user.fds.install(pair(ns, SOCK_STREAM)[0], false, 10);
    for (let i = 0; i < 4; i++) assert.equal(send(a, 'x', rights(fd), '', user), 1);
    assert.equal(send(a, 'x', rights(fd), '', user), -ETOOMANYREFS);
    assert.equal(user.fds.get(fd)!.refs, 5);
  });

  test('that hold each other are collected', () => {
    const ns = new UnixNamespace();
    const [a, b] = pair(ns, SOCK_DGRAM);
    const c = new TestContext();
    const fa = c.fds.install(a, false, 10);
    const fb = c.fds.install(b, false, 10);
    send(a, 'x', rights(fb, fa), '', c);
    send(b, 'x', rights(fa), '', c);
    const [keep] = pair(ns, SOCK_DGRAM);
    c.fds.remove(fa)!.unref();
    assert.ok(ns.sockets.has(a));
    c.fds.remove(fb)!.unref();
    ns.collect();
    assert.deepEqual([ns.sockets.has(a), ns.sockets.has(b), ns.sockets.has(keep)], [false, false, true]);
    assert.equal(ns.inflight, 0);
  });

  test('credentials are those of the sender', () => {
    const [a, b] = pair(new UnixNamespace(), SOCK_STREAM);
    send(a, 'before');
    scratchView.setInt32(0, 1, true);
    b.setsockopt(ctx, SOL_SOCKET, SO_PASSCRED, 4);
    send(a, 'after');
    const first = recv(b, 100, 0, 100);
    assert.equal(first.text, 'before');
    assert.equal(first.msg.view.getInt32(12, true), SCM_CREDENTIALS);
    assert.equal(first.msg.view.getInt32(16, true), 0);
    const second = recv(b, 100, 0, 100);
    assert.equal(second.text, 'after');
    assert.equal(second.msg.view.getInt32(16, true), ctx.tgid);
  });
});

describe('unix datagrams', () => {
  test('keep boundaries, tell their sender, and wait when the queue is full', () => {
    const ns = new UnixNamespace();
    const server = make(ns, SOCK_DGRAM);
    server.bind(ctx, address('\0log'));
    const client = make(ns, SOCK_DGRAM);
    client.bind(ctx, address('\0me'));
    assert.equal(send(client, 'one', null, '\0log'), 3);
    assert.equal(send(client, '', null, '\0log'), 0);
    const r = recv(server, 2, MSG_TRUNC);
    assert.equal(r.n, 3);
    assert.equal(r.msg.flags & MSG_TRUNC, MSG_TRUNC);
    assert.equal(r.msg.addr.len, 5);
    assert.equal(recv(server, 2).n, 0);
    for (let i = 0; i < 11; i++) assert.equal(send(client, 'm', null, '\0log'), 1);
    assert.equal(send(client, 'm', null, '\0log'), -EAGAIN);
    assert.equal(client.connect(ctx, address('\0log')), 0);
    assert.equal(client.poll() & POLLOUT, 0);
    recv(server, 1);
    assert.equal(client.poll() & POLLOUT, POLLOUT);
    assert.equal(send(client, 'x'.repeat(300000)), -EMSGSIZE);
    // A connected receiver takes messages from its peer alone.
    const other = make(ns, SOCK_DGRAM);
    assert.equal(server.connect(ctx, address('\0me')), 0);
    assert.equal(send(other, 'x', null, '\0log'), -EPERM);
    server.unref();
    assert.equal(send(client, 'x'), -ECONNREFUSED);
  });
});
