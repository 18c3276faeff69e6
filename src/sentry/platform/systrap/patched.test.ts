// Patched call sites: the same events as by signals, without one.
// suite: 5 s, alone

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import { SYS_getpid, SYS_getppid } from '../../../abi/syscall.ts';
import {
  Assembler,
  abs,
  EAX,
  EBX,
  fs,
  gs,
  imm,
  mem,
  R9,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  rip,
} from '../../../asm/index.ts';
import { HostPoller } from '../../../host/poller.ts';
import { MemoryFile } from '../../memfile/memfile.ts';
import {
  type Context,
  EV_KICK,
  EV_SYSCALL,
  EV_TRAP,
  GUEST_TOP,
  PATCH_TABLE_ADDR,
  type PatchTarget,
} from '../platform.ts';
import * as r from '../regs.ts';
import type { SystrapAddressSpace } from './address_space.ts';
import { STUB_SHAPES, type StubShape } from './shapes_of_stub.test.helper.ts';
import { TRAPS_BEFORE } from './sites.ts';
import { SystrapPlatform } from './systrap.ts';

const CODE = 0x10000;
const DATA = 0x20000;
const HIGH_DATA = 0x9000_0000;
const USER_DS = 0x2b;
/** `mov $nr,%eax` in the five bytes that compilers use. */
const call = (a: Assembler, nr: number): Assembler => a.bytes([0xb8, nr & 0xff, nr >> 8, 0, 0]).syscall();

for (const shape of STUB_SHAPES) suite(shape);

function suite({ bases, label, options }: StubShape): void {
  describe(`patched call sites of the systrap platform ${label}`, options, () => {
    let memfile: MemoryFile;
    let platform: SystrapPlatform;
    const code = new Assembler({ base: CODE });
    // Counts its calls in r12, and expects every result to be the count: a lost or repeated call ends in ud2.
    call(code.label('count').add(R12, imm(1)), SYS_getppid).label('counted');
    code
      .cmp(RAX, R12)
      .jne('bad')
      .cmp(R13, imm(13))
      .jne('bad')
      .cmp(R14, imm(14))
      .jne('bad')
      .cmp(R9, imm(9))
      .jne('bad');
    code.cmp(RBX, imm(3)).jne('bad').cmp(RBP, imm(5)).jne('bad').cmp(RDI, imm(7)).jne('bad').jmp('count');
    code.label('bad').ud2();
    call(code.label('two'), SYS_getpid);
    call(code, SYS_getppid).jmp('two');
    call(code.label('gs').mov(R15, imm(DATA)), SYS_getpid)
      .label('afterGs')
      .mov(R15, mem(R15))
      .jmp('gs');
    call(code.label('selector').mov(EAX, imm(USER_DS)).movToSeg('gs', EAX).movToSeg('fs', EAX), SYS_getpid)
      .movFromSeg(EAX, 'fs')
      .movFromSeg(EBX, 'gs')
      .shl(EBX, imm(16))
      .or(EBX, EAX)
      .jmp('selector');
    code.label('keeps').mov(EAX, imm(USER_DS)).movToSeg('gs', EAX).movToSeg('fs', EAX);
    call(code.label('kept'), SYS_getpid).movFromSeg(EAX, 'gs').cmp(EAX, imm(USER_DS)).jne('bad');
    code
      .movFromSeg(EAX, 'fs')
      .cmp(EAX, imm(USER_DS))
      .jne('bad')
      .mov(EAX, gs(abs(DATA + 8)))
      .cmp(EAX, imm(DATA + 8));
    code.jne('bad').jmp('kept');
    call(code.label('rcx').lea(R15, rip('afterRcx')), SYS_getpid);
    code.label('afterRcx').cmp(RCX, R15).jne('bad').jmp('rcx');
    // Every word of the data page holds its own address.
    call(code.label('fs').mov(R15, fs(abs(0))), SYS_getpid).jmp('fs');
    const image = code.finish();

    before(() => {
      const mf = MemoryFile.create();
      assert.ok(typeof mf !== 'number');
      memfile = mf;
      platform = new SystrapPlatform(memfile, new HostPoller().fd, { patchCalls: true, bases });
    });
    after(() => platform.shutdown());

    function space(patched = true): SystrapAddressSpace {
      const as = platform.newAddressSpace();
      assert.ok(typeof as !== 'number');
      const frame = memfile.alloc(2);
      const at = memfile.byteOffset(frame);
      const page = memfile.u8(frame).subarray(at, at + 4096);
      page.set(image);
      const data = new DataView(
        memfile.u8(frame + 1).buffer,
        memfile.u8(frame + 1).byteOffset + memfile.byteOffset(frame + 1),
        4096,
      );
      for (let i = 0; i < 4096; i += 8) data.setUint32(i, DATA + i, true);
      as.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
      as.map(DATA, frame + 1, 1, PROT_READ | PROT_WRITE);
      as.map(HIGH_DATA, frame + 1, 1, PROT_READ | PROT_WRITE);
      const target: PatchTarget = {
        readText(addr, to) {
          if (addr < CODE || addr + to.length > CODE + 4096) return false;
          to.set(page.subarray(addr - CODE, addr - CODE + to.length));
          return true;
        },
        patchText(addr, bytes) {
          page.set(bytes, addr - CODE);
          return true;
        },
        imageStart: () => -1,
      };
      if (patched) (as as SystrapAddressSpace).patchTarget = target;
      return as as SystrapAddressSpace;
    }

    function start(label: string): Context {
      const ctx = platform.newContext();
      const regs: readonly (readonly [number, number])[] = [
        [r.RIP, code.addressOf(label)],
        [r.RSP, DATA + 4096],
        [r.R13, 13],
        [r.R14, 14],
        [r.R9, 9],
        [r.RBX, 3],
        [r.RBP, 5],
        [r.RDI, 7],
      ];
      for (const [reg, v] of regs) ctx.regs.set(reg, v);
      return ctx;
    }

    function next(): Context {
      for (;;) {
        const ctx = platform.wait(true);
        if (ctx !== null) return ctx;
      }
    }

    const isPatched = (ctx: Context): boolean =>
      (ctx as Context & { slot: { patched: boolean } }).slot.patched;

    /** Serves one call of `count`. */
    function serve(ctx: Context): void {
      assert.equal(ctx.event, EV_SYSCALL);
      assert.equal(ctx.regs.get(r.ORIG_RAX), SYS_getppid);
      assert.equal(ctx.regs.get(r.RIP), code.addressOf('counted'));
      ctx.regs.set(r.RAX, ctx.regs.get(r.R12));
    }

    it('patches a site that traps often, with all registers kept', () => {
      const as = space();
      const ctx = start('count');
      for (let i = 0; i < 2000; i++) {
        ctx.resume(as);
        next();
        serve(ctx);
        assert.equal(ctx.regs.get(r.R12), i + 1);
        if (i > TRAPS_BEFORE) assert.ok(isPatched(ctx));
      }
      ctx.release();
      as.release();
    });

    it('restarts calls, and takes registers of any kind', () => {
      const as = space();
      const ctx = start('count');
      for (let i = 0; i < 200; i++) {
        ctx.resume(as);
        next();
        serve(ctx);
        if (i % 3 === 0) {
          // As after ERESTARTSYS: the number again, and the address of the instruction.
          ctx.regs.set(r.RAX, SYS_getppid);
          ctx.regs.set(r.RIP, ctx.regs.get(r.RIP) - 2);
          ctx.resume(as);
          next();
          serve(ctx);
        }
        if (i % 5 === 0) {
          // As if a signal handler ran: elsewhere, and back.
          const saved = new Uint32Array(ctx.regs.u32);
          ctx.regs.set(r.RIP, code.addressOf('two'));
          ctx.resume(as);
          next();
          assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, SYS_getpid]);
          ctx.regs.u32.set(saved);
        }
      }
      ctx.release();
      as.release();
    });

    for (const kind of ['patched', 'trapped'] as const) {
      it(`neither loses nor repeats a ${kind} call when kicks come at any moment`, () => {
        const as = space(kind === 'patched');
        const ctx = start('count');
        let kicks = 0;
        let calls = 0;
        for (let i = 0; calls < 20_000; i++) {
          ctx.resume(as);
          if (i % 3 !== 0) {
            for (let k = (i * 7) % 900; k > 0; k--) Math.sqrt(k);
            ctx.interrupt();
          }
          next();
          if (ctx.event === EV_KICK) kicks++;
          else {
            assert.notEqual(
              ctx.event,
              EV_TRAP,
              `registers were damaged after ${calls} calls, ${kicks} kicks`,
            );
            serve(ctx);
            calls++;
            assert.equal(ctx.regs.get(r.R12), calls);
          }
        }
        assert.ok(kicks > 0);
        ctx.release();
        as.release();
      });

      it(`moves extended state in and out of a ${kind} call`, () => {
        const as = space(kind === 'patched');
        const ctx = start('count');
        const state = new Uint8Array(platform.xstateSize);
        for (let i = 0; i < 90; i++) {
          ctx.resume(as);
          next();
          serve(ctx);
          if (i < 42 || i % 2 === 0) continue;
          ctx.getXstate(state);
          if (i > 43) assert.equal(state[160], i - 2);
          state[160] = i; // xmm0
          state[512] = state[512]! | 3;
          ctx.setXstate(state);
        }
        ctx.release();
        as.release();
      });
    }

    // What lies where the stub may look for a slot then: nothing, numbers, nothing, and beyond all addresses.
    for (const gs of [DATA, HIGH_DATA - PATCH_TABLE_ADDR, 0x1234_5000, GUEST_TOP - 8])
      it(`serves threads that use gs themselves, gs ${gs.toString(16)}`, () => {
        const as = space();
        const ctx = start('gs');
        for (let i = 0; i < 80; i++) {
          ctx.resume(as);
          next();
          assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, SYS_getpid]);
          assert.equal(ctx.regs.get(r.GS_BASE), i < 40 ? 0 : gs);
          assert.equal(ctx.regs.get(r.RIP), code.addressOf('afterGs'));
          assert.equal(ctx.regs.get(r.RCX), code.addressOf('afterGs'));
          if (i === 39) ctx.regs.set(r.GS_BASE, gs);
        }
        assert.ok(!isPatched(ctx));
        // Back to none, and calls are cheap again.
        ctx.regs.set(r.GS_BASE, 0);
        for (let i = 0; i < 3; i++) {
          ctx.resume(as);
          next();
        }
        assert.ok(isPatched(ctx));
        ctx.release();
        as.release();
      });

    it('serves threads that have loaded a selector into gs', () => {
      const as = space();
      const ctx = start('selector');
      for (let i = 0; i < 200; i++) {
        ctx.resume(as);
        next();
        assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, SYS_getpid]);
        assert.deepEqual([ctx.regs.get(r.GS_BASE), ctx.regs.get(r.FS_BASE)], [0, 0]);
        if (i > 0) assert.equal(ctx.regs.get(r.RBX), (USER_DS << 16) | USER_DS);
      }
      ctx.release();
      as.release();
    });

    it('leaves a selector alone, whenever the thread is interrupted', () => {
      const as = space();
      const ctx = start('keeps');
      for (let i = 0, calls = 0; calls < 2000; i++) {
        ctx.resume(as);
        for (let spin = (i * 7) % 900; spin > 0; spin--) Math.sqrt(spin);
        if (i % 2 === 0) ctx.interrupt();
        next();
        assert.ok(ctx.event === EV_SYSCALL || ctx.event === EV_KICK, `${ctx.event} ${ctx.sig}`);
        if (ctx.event === EV_SYSCALL) calls++;
      }
      ctx.release();
      as.release();
    });

    it('leaves in rcx what the instruction does, also for threads that use gs themselves', () => {
      for (const gs of [0, DATA, HIGH_DATA - PATCH_TABLE_ADDR]) {
        const as = space();
        const ctx = start('rcx');
        ctx.regs.set(r.GS_BASE, gs);
        for (let i = 0; i < 200; i++) {
          ctx.resume(as);
          if (i % 3 === 0) ctx.interrupt();
          next();
          assert.ok(ctx.event === EV_SYSCALL || ctx.event === EV_KICK, `${ctx.event} ${ctx.sig}`);
        }
        ctx.release();
        as.release();
      }
    });

    it('keeps the base of fs', () => {
      const as = space();
      const ctx = start('fs');
      for (let i = 0; i < 200; i++) {
        if (i % 50 === 0) ctx.regs.set(r.FS_BASE, DATA + 8 * i);
        ctx.resume(as);
        next();
        assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, SYS_getpid]);
        assert.equal(ctx.regs.get(r.R15), DATA + 8 * (i - (i % 50)));
      }
      ctx.release();
      as.release();
    });

    it('reuses a process after patched calls', () => {
      const pids = new Set<number>();
      for (let i = 0; i < 10; i++) {
        const as = space();
        pids.add(as.process.pid);
        const ctx = start('two');
        for (let k = 0; k < 80; k++) {
          ctx.resume(as);
          next();
          assert.equal(ctx.event, EV_SYSCALL);
          ctx.regs.set(r.RAX, EAX.num);
        }
        ctx.release();
        as.release();
      }
      assert.ok(pids.size < 5, `${pids.size} processes`);
    });

    it('reuses a process whose guest ended with the call that was patched first', () => {
      const shared = platform;
      platform = new SystrapPlatform(memfile, new HostPoller().fd, { patchCalls: true, bases });
      try {
        const pids = new Set<number>();
        for (const last of [true, false]) {
          const as = space();
          pids.add(as.process.pid);
          const ctx = start('count');
          for (let i = 0; i < 100 && !(last && platform.patchedSites > 0); i++) {
            ctx.resume(as);
            next();
            serve(ctx);
          }
          ctx.release();
          as.release();
        }
        assert.deepEqual([pids.size, platform.patchedSites], [1, 2]);
      } finally {
        platform.shutdown();
        platform = shared;
      }
    });
  });
}
