// The platforms alone: raw machine code in a real stub, no kernel. What holds for one holds for all.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/memory/mman.ts';
import { SEGV_ACCERR, SEGV_MAPERR, SIGILL, SIGSEGV } from '../../abi/signal/signal.ts';
import { SYS_getppid } from '../../abi/syscall.ts';
import { Assembler, dword, EAX, imm, mem, RAX, RBX } from '../../asm/index.ts';
import { HostPoller } from '../../host/poller.ts';
import { MemoryFile } from '../memfile/memfile.ts';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  type AddressSpace,
  type Context,
  EV_DEAD,
  EV_FAULT,
  EV_KICK,
  EV_SYSCALL,
  EV_TRAP,
  type Platform,
} from './platform.ts';
import { PtracePlatform } from './ptrace/ptrace.ts';
import { ORIG_RAX, RAX as REG_RAX, RIP, RSP } from './regs.ts';
import { STUB_SHAPES } from './systrap/shapes_of_stub.test.helper.ts';
import { SystrapPlatform } from './systrap/systrap.ts';

const CODE = 0x10000;
const DATA = 0x300000;

interface Kind {
  readonly name: string;
  /** Faults tell reads from writes. */
  readonly exactAccess: boolean;
  readonly options: { readonly skip: string | false };
  start(memfile: MemoryFile, pollerFd: number): Platform;
}

const KINDS: readonly Kind[] = [
  {
    name: 'ptrace',
    exactAccess: false,
    options: { skip: false },
    start: (m, fd) => new PtracePlatform(m, fd),
  },
  ...STUB_SHAPES.map(({ bases, label, options }) => ({
    name: `systrap ${label}:`,
    exactAccess: true,
    options,
    start: (m: MemoryFile, fd: number) => new SystrapPlatform(m, fd, { bases }),
  })),
];

for (const kind of KINDS) suite(kind);

function suite(kind: Kind): void {
  describe(`${kind.name} platform`, kind.options, () => {
    let memfile: MemoryFile;
    let platform: Platform;
    const code = new Assembler({ base: CODE });
    code.label('calls').mov(EAX, imm(SYS_getppid)).syscall().jmp('calls');
    code
      .label('store')
      .mov(RBX, imm(DATA))
      .mov(dword(mem(RBX)), imm(7))
      .mov(RAX, mem(RBX))
      .syscall();
    code.label('spin').jmp('spin');
    code
      .label('count')
      .mov(RBX, imm(DATA))
      .label('more')
      .inc(dword(mem(RBX)))
      .jmp('more');
    code.label('illegal').ud2();
    code.label('wild').mov(RAX, imm(DATA)).jmp(RAX);
    const image = code.finish();

    before(() => {
      const mf = MemoryFile.create();
      assert.ok(typeof mf !== 'number');
      memfile = mf;
      platform = kind.start(memfile, new HostPoller().fd);
    });
    after(() => platform.shutdown());

    function space(): AddressSpace {
      const as = platform.newAddressSpace();
      assert.ok(typeof as !== 'number');
      const frame = memfile.alloc(1);
      memfile.u8(frame).set(image, memfile.byteOffset(frame));
      as.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
      return as;
    }

    function start(label: string): Context {
      const ctx = platform.newContext();
      ctx.regs.set(RIP, code.addressOf(label));
      ctx.regs.set(RSP, 0x20000);
      return ctx;
    }

    function next(): Context {
      for (;;) {
        const ctx = platform.wait(true);
        if (ctx !== null) return ctx;
      }
    }

    it('traps system calls and passes results', () => {
      const as = space();
      const ctx = start('calls');
      for (let i = 0; i < 100; i++) {
        ctx.resume(as);
        assert.equal(next(), ctx);
        assert.equal(ctx.event, EV_SYSCALL);
        assert.equal(ctx.regs.get(ORIG_RAX), SYS_getppid);
        ctx.regs.set(REG_RAX, i);
      }
      ctx.release();
      as.release();
    });

    it('reports faults with address and access, and runs on after mapping', () => {
      const as = space();
      const ctx = start('store');
      ctx.resume(as);
      next();
      assert.deepEqual(
        [ctx.event, ctx.sig, ctx.sigCode, ctx.faultAddr],
        [EV_FAULT, SIGSEGV, SEGV_MAPERR, DATA],
      );
      assert.equal(ctx.faultAccess, kind.exactAccess ? ACCESS_WRITE : ACCESS_READ);
      const frame = memfile.alloc(1);
      as.map(DATA, frame, 1, PROT_READ);
      ctx.resume(as);
      next();
      assert.deepEqual([ctx.event, ctx.sigCode, ctx.faultAccess], [EV_FAULT, SEGV_ACCERR, ACCESS_WRITE]);
      as.protect(DATA, 4096, PROT_READ | PROT_WRITE);
      ctx.resume(as);
      next();
      assert.equal(ctx.event, EV_SYSCALL);
      assert.equal(memfile.i32(frame)[memfile.byteOffset(frame) / 4], 7);
      as.unmap(DATA, 4096);
      ctx.regs.set(RIP, code.addressOf('wild'));
      ctx.resume(as);
      next();
      assert.deepEqual([ctx.event, ctx.faultAccess, ctx.faultAddr], [EV_FAULT, ACCESS_EXEC, DATA]);
      ctx.regs.set(RIP, code.addressOf('illegal'));
      ctx.resume(as);
      next();
      assert.deepEqual([ctx.event, ctx.sig], [EV_TRAP, SIGILL]);
      ctx.release();
      as.release();
    });

    it('kicks a running thread, also to run orders', () => {
      const as = space();
      const ctx = start('spin');
      ctx.resume(as);
      ctx.interrupt();
      assert.equal(next(), ctx);
      assert.equal(ctx.event, EV_KICK);
      ctx.resume(as);
      as.unmap(DATA, 4096);
      as.flush();
      // ptrace stops a thread to carry out the order, and reports that; systrap does not.
      ctx.interrupt();
      assert.equal(next(), ctx);
      ctx.release();
      as.release();
    });

    it('serves two threads of one address space fairly', () => {
      const as = space();
      const a = start('calls');
      const b = start('calls');
      a.resume(as);
      b.resume(as);
      const count = new Map<Context, number>([
        [a, 0],
        [b, 0],
      ]);
      // On a busy host the scheduler's slices decide for some milliseconds: a tenth each must come out in the long run.
      const end = Date.now() + 5000;
      const share = (): number => Math.min(...count.values()) / (count.get(a)! + count.get(b)!);
      for (let i = 0; i < 2000 || (share() <= 0.1 && Date.now() < end); i++) {
        const ctx = next();
        count.set(ctx, count.get(ctx)! + 1);
        ctx.resume(as);
      }
      assert.ok(share() > 0.1, `${count.get(a)} : ${count.get(b)}`);
      assert.notEqual(a.hostTid, b.hostTid);
      a.release();
      b.release();
      as.release();
    });

    it('keeps extended state per context', () => {
      const as = space();
      const a = start('calls');
      a.resume(as);
      next();
      const state = new Uint8Array(platform.xstateSize);
      a.getXstate(state);
      state[160] = 0x5a; // xmm0
      state[512] = state[512]! | 3; // xstate_bv: x87 and SSE are in use
      a.setXstate(state);
      const b = start('calls');
      b.setXstate(state);
      b.resume(as);
      next();
      const seen = new Uint8Array(platform.xstateSize);
      b.getXstate(seen);
      assert.equal(seen[160], 0x5a);
      a.resume(as);
      next();
      a.getXstate(seen);
      assert.equal(seen[160], 0x5a);
      a.release();
      b.release();
      as.release();
    });

    /** A context that counts in a page of its own; the count. */
    function counting(as: AddressSpace): [Context, () => number] {
      const frame = memfile.alloc(1);
      as.map(DATA, frame, 1, PROT_READ | PROT_WRITE);
      const ctx = start('count');
      ctx.resume(as);
      const count = (): number => Atomics.load(memfile.i32(frame), memfile.byteOffset(frame) / 4);
      const before = count();
      while (count() === before) assert.equal(platform.wait(false), null);
      return [ctx, count];
    }

    /** An order that the host refuses. */
    const fail = (as: AddressSpace): void => as.map(DATA + 4096, 0.5, 1, PROT_READ);

    it('lets no thread run on when an order fails that another one brings along', () => {
      const as = space();
      const [a, count] = counting(as);
      const b = start('calls');
      assert.equal(b.prepare(as), 0);
      fail(as);
      b.resume(as);
      const before = count();
      const end = Date.now() + 50;
      while (Date.now() < end);
      assert.equal(count(), before);
      assert.deepEqual(new Set([next(), next()]), new Set([a, b]));
      assert.deepEqual([a.event, b.event], [EV_DEAD, EV_DEAD]);
      a.release();
      b.release();
      as.release();
    });

    it('takes any number of orders for a process that the host has killed', () => {
      const as = space();
      const [ctx] = counting(as);
      process.kill(ctx.hostTid, 'SIGKILL');
      for (let i = 0; i < 1000; i++) as.unmap(DATA, 4096);
      as.flush();
      assert.equal(next(), ctx);
      assert.equal(ctx.event, EV_DEAD);
      ctx.release();
      as.release();
    });

    it('has no way to the next user of a process through an address space that is gone', () => {
      const old = space();
      const before = start('calls');
      before.resume(old);
      next();
      before.release();
      old.release();
      const as = space();
      const ctx = start('calls');
      for (let i = 0; i < 3; i++) {
        ctx.resume(as);
        next();
        assert.equal(ctx.event, EV_SYSCALL);
        old.unmap(CODE, 4096);
        old.flush();
      }
      ctx.release();
      as.release();
    });
  });
}
