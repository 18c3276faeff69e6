// What a hostile guest can do to the stub and to the Sentry: jump into the stub's code, write its own slots, use every
// way into the host's kernel that x86 has. Nothing may reach the host's kernel, and the Sentry must go on.
// suite: 15 s, alone

import assert from 'node:assert/strict';
import { existsSync, unlinkSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { EPOLLIN } from '../../../abi/events/epoll.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import {
  SIGCONTEXT_CS,
  SIGCONTEXT_EFLAGS,
  SIGCONTEXT_RIP,
  SIGCONTEXT_RSP,
  SIGCONTEXT_SS,
  UCONTEXT_UC_MCONTEXT,
  UCONTEXT_UC_SIGMASK,
  UCONTEXT_UC_STACK,
} from '../../../abi/signal/sigcontext.ts';
import { SIGSEGV, SS_DISABLE } from '../../../abi/signal/signal.ts';
import {
  SYS_creat,
  SYS_futex,
  SYS_getpid,
  SYS_getppid,
  SYS_mmap,
  SYS_read,
  SYS_rt_sigreturn,
  SYS_time,
  SYS_timerfd_create,
  SYS_timerfd_settime,
  SYS_write,
} from '../../../abi/syscall.ts';
import { CLOCK_MONOTONIC } from '../../../abi/time/time.ts';
import { Assembler, dword, EAX, imm, mem, R10, RAX, RBX, RCX, RDI, RDX, RSI } from '../../../asm/index.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { HostPoller } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { MemoryFile } from '../../memfile/memfile.ts';
import { H_STATE, STATE_CALL } from '../handover/line.ts';
import {
  type AddressSpace,
  type Context,
  EV_DEAD,
  EV_FAULT,
  EV_KICK,
  EV_SYSCALL,
  EV_TRAP,
} from '../platform.ts';
import * as r from '../regs.ts';
import type { SystrapAddressSpace } from './address_space.ts';
import {
  CODE_SIZE,
  CONTROL_ADDR,
  EVENT_FD,
  HEADER_SIZE,
  ORDERS_ADDR,
  ORDERS_PAGES,
  SITES_ADDR,
  SLOT_SIZE,
  SLOTS_ADDR,
  STUB_BASE,
} from './layout.ts';
import { selfTest } from './selftest.ts';
import { STUB_SHAPES, type StubShape } from './shapes_of_stub.test.helper.ts';
import { STUBS } from './stub.image.ts';
import { SystrapPlatform } from './systrap.ts';

const CODE = 0x10000;
const DATA = 0x20000;
const STACK = 0x30800;
const X32_BIT = 0x4000_0000;
const VSYSCALL_TIME_LOW = 0xff60_0400;
const victim = `/tmp/vedette-hostile-${process.pid}`;

for (const shape of STUB_SHAPES) for (const patchCalls of [false, true]) suite(shape, patchCalls);

function suite({ bases, label, options }: StubShape, patchCalls: boolean): void {
  const stub = STUBS[bases];
  describe(
    `hostile guests of the systrap platform ${label}${patchCalls ? ', with patched calls' : ''}`,
    options,
    () => {
      let memfile: MemoryFile;
      let platform: SystrapPlatform;
      let poller: HostPoller;
      let ticks = 0;
      let as: AddressSpace;
      const code = new Assembler({ base: CODE });
      code.label('calls').mov(EAX, imm(SYS_getppid)).syscall().jmp('calls');
      code.label('int80').mov(EAX, imm(20)).int(0x80).label('after').jmp('calls');
      code.label('sysenter').mov(EAX, imm(20)).bytes([0x0f, 0x34]).jmp('calls');
      code
        .label('x32')
        .mov(EAX, imm(X32_BIT | SYS_getpid))
        .syscall()
        .jmp('calls');
      code.label('vsyscall').mov(RAX, imm(0xffff_ffff_ff60_0400n)).mov(RDI, imm(0)).call(RAX).jmp('calls');
      // Fills the slots that are mapped with rax, over and over, among calls.
      code.label('scribble').mov(RBX, imm(SLOTS_ADDR));
      code
        .label('more')
        .mov(mem(RBX), RAX)
        .add(RBX, imm(8))
        .mov(RCX, imm(SLOTS_ADDR + 4 * SLOT_SIZE));
      code.cmp(RBX, RCX).jne('more').add(RAX, imm(1)).jmp('scribble');
      code.label('spin').jmp('spin');
      // A thread that says to be in a patched call, and is not: it computes, or sleeps in the stub's own futex call.
      code
        .label('fake')
        .mov(RBX, imm(SLOTS_ADDR))
        .mov(dword(mem(RBX, H_STATE)), imm(STATE_CALL))
        .jmp('spin');
      code
        .label('fakeAsleep')
        .mov(RBX, imm(SLOTS_ADDR))
        .mov(dword(mem(RBX, H_STATE)), imm(STATE_CALL))
        .lea(RDI, mem(RBX, 0x800))
        .mov(RSI, imm(0))
        .mov(RDX, imm(0))
        .mov(R10, imm(0))
        .mov(EAX, imm(SYS_futex))
        .mov(RCX, imm(stub.sleepAddr - 2))
        .jmp(RCX);
      code.label('peek').mov(RSI, mem(RDI)).mov(EAX, imm(SYS_getppid)).syscall().jmp('peek');
      const image = code.finish();

      before(() => {
        const mf = MemoryFile.create();
        assert.ok(typeof mf !== 'number');
        memfile = mf;
        poller = new HostPoller();
        // A clock for the test's own wait: guests may well never come back.
        const fd = hostCall(SYS_timerfd_create, CLOCK_MONOTONIC, 0);
        const spec = HostBuffer.alloc(32);
        for (const at of [8, 24]) spec.view.setUint32(at, 2_000_000, true);
        hostCall(SYS_timerfd_settime, fd, 0, spec.addr, 0);
        poller.add(fd, EPOLLIN, {
          onHostReady: () => {
            hostCall(SYS_read, fd, spec.addr, 8);
            ticks++;
          },
        });
        platform = new SystrapPlatform(memfile, poller.fd, { patchCalls, bases });
        as = space();
      });
      after(() => {
        platform.shutdown();
        if (existsSync(victim)) unlinkSync(victim);
      });

      function space(): AddressSpace {
        const made = platform.newAddressSpace();
        assert.ok(typeof made !== 'number');
        const frame = memfile.alloc(3);
        const at = memfile.byteOffset(frame);
        memfile.u8(frame).set(image, at);
        memfile.u8(frame).set(Buffer.from(`${victim}\0`), at + 4096);
        made.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
        made.map(DATA, frame + 1, 2, PROT_READ | PROT_WRITE);
        made.map(STACK - 0x800, frame + 2, 1, PROT_READ | PROT_WRITE);
        return made;
      }

      function at(rip: number): Context {
        const ctx = platform.newContext();
        for (let i = 0; i < 15; i++) ctx.regs.set(i, DATA);
        ctx.regs.set(r.RIP, rip);
        ctx.regs.set(r.RSP, STACK);
        return ctx;
      }

      /** Waits some ticks for any event; null when none comes. */
      function within(limit: number): Context | null {
        const end = ticks + limit;
        while (ticks < end) {
          const ctx = platform.wait(true);
          if (ctx !== null) return ctx;
          poller.dispatch(0);
        }
        return null;
      }

      function one(label: string): Context {
        const ctx = at(code.addressOf(label));
        ctx.resume(as);
        assert.ok(within(500) === ctx);
        return ctx;
      }

      /** Ends an address space whose threads may be anywhere, and begins a new one. */
      function renew(ctx: Context): void {
        ctx.release();
        as.release();
        as = space();
      }

      /** An honest guest still works. */
      function healthy(): void {
        const made = space();
        const ctx = at(code.addressOf('calls'));
        for (let i = 0; i < 10; i++) {
          ctx.resume(made);
          assert.ok(within(1000) === ctx);
          assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, SYS_getppid]);
        }
        ctx.release();
        made.release();
      }

      it('passes its own self-test', () => {
        assert.match(selfTest(), /natively/);
      });

      it('turns int 0x80 and sysenter into faults', () => {
        const ctx = one('int80');
        assert.deepEqual([ctx.event, ctx.sig], [EV_TRAP, SIGSEGV]);
        assert.equal(ctx.regs.get(r.RIP), code.addressOf('after') - 2);
        renew(ctx);
        const other = one('sysenter');
        assert.equal(other.event, EV_TRAP);
        renew(other);
      });

      it('hands over x32 numbers and vsyscalls as calls', () => {
        const ctx = one('x32');
        assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, X32_BIT | SYS_getpid]);
        ctx.release();
        const v = one('vsyscall');
        // A host without the vsyscall page faults instead.
        if (v.event === EV_SYSCALL) assert.equal(v.regs.get(r.ORIG_RAX), SYS_time);
        else assert.equal((v.faultAddr % 2 ** 32) >>> 0, VSYSCALL_TIME_LOW);
        renew(v);
      });

      it('lets no guest write a number of its own to the event counter', () => {
        // A full counter would refuse the writes that wake the Sentry.
        const ctx = at(stub.sleepAddr - 2);
        ctx.regs.set(r.RAX, SYS_write);
        ctx.regs.set(r.RDI, EVENT_FD);
        ctx.regs.set(r.RDX, 8);
        ctx.resume(as);
        assert.ok(within(500) === ctx);
        assert.deepEqual([ctx.event, ctx.regs.get(r.ORIG_RAX)], [EV_SYSCALL, SYS_write]);
        renew(ctx);
      });

      it('tells no guest where the memory and the calls of others lie', () => {
        const [own, others] = [0x2345_6000, 0x1234_5000];
        const other = space();
        for (let i = 0; i < 16; i++) other.map(others - i * 4096, memfile.alloc(1), 1, PROT_READ);
        // The last of these orders, at a place in the page that the other's do not reach.
        const last = others - 15 * 4096;
        const stranger = at(code.addressOf('calls'));
        stranger.resume(other);
        assert.ok(within(500) === stranger);
        as.release();
        as = space();
        as.map(own, memfile.alloc(1), 1, PROT_READ);
        const ctx = at(code.addressOf('peek'));
        const seen = new Set<number>();
        for (let i = 0; i < ORDERS_PAGES * 4096; i += 8) {
          ctx.regs.set(r.RDI, ORDERS_ADDR + i);
          ctx.resume(as);
          assert.ok(within(500) === ctx);
          assert.equal(ctx.event, EV_SYSCALL);
          seen.add(ctx.regs.get(r.RSI));
        }
        assert.deepEqual([seen.has(own), seen.has(last)], [true, false]);
        // No call of its own was patched: there are no sites to see.
        ctx.regs.set(r.RDI, SITES_ADDR);
        ctx.resume(as);
        assert.ok(within(500) === ctx);
        assert.equal(ctx.event, EV_FAULT);
        // Nor in the process when its next guest has it.
        ctx.release();
        as.release();
        as = space();
        const next = at(code.addressOf('peek'));
        for (let i = 0; i < 64 * 64; i += 8) {
          next.regs.set(r.RDI, ORDERS_ADDR + i);
          next.resume(as);
          assert.ok(within(500) === next);
          assert.notEqual(next.regs.get(r.RSI), own);
        }
        stranger.release();
        other.release();
        renew(next);
      });

      for (const label of ['fake', 'fakeAsleep'])
        it(`does not wait long for a thread that only says to be in a call: ${label}`, () => {
          as.release();
          as = space();
          const ctx = one(label);
          // Without patched calls there is no such report.
          assert.equal(ctx.event, patchCalls ? EV_SYSCALL : EV_DEAD);
          if (patchCalls) {
            const start = performance.now();
            ctx.getXstate(new Uint8Array(platform.xstateSize));
            assert.ok(performance.now() - start < 500, `${performance.now() - start} ms`);
            ctx.resume(as);
            assert.ok(within(500) === ctx);
            assert.equal(ctx.event, EV_DEAD);
          }
          renew(ctx);
          healthy();
        });

      it('survives a jump to every byte of the stub, and lets no call through', () => {
        const outcomes = new Map<number, number>();
        for (let off = 0; off < CODE_SIZE; off++) {
          const ctx = at(STUB_BASE + off);
          // creat(victim, ...) for whoever gets at a syscall instruction; sane addresses for whoever stores.
          ctx.regs.set(r.RAX, off % 3 === 0 ? SYS_creat : off % 3 === 1 ? SYS_mmap : SYS_rt_sigreturn);
          if (off % 5 === 0) for (const reg of [r.RBX, r.RSP, r.RCX]) ctx.regs.set(reg, SLOTS_ADDR + 0x800);
          if (off % 7 === 0) ctx.regs.set(r.RBX, CONTROL_ADDR);
          ctx.resume(as);
          let came = within(3);
          if (came === null) {
            ctx.interrupt();
            came = within(3);
          }
          const event = came === null ? 0 : ctx.event;
          outcomes.set(event, (outcomes.get(event) ?? 0) + 1);
          // A thread that faulted or trapped outside a syscall is as good as new; anything else begins afresh.
          if (event === EV_SYSCALL || event === EV_TRAP) ctx.release();
          else renew(ctx);
          if (existsSync(victim)) assert.fail(`creat got through at ${off.toString(16)}`);
        }
        assert.ok(
          (outcomes.get(EV_TRAP) ?? 0) + (outcomes.get(EV_SYSCALL) ?? 0) > 0,
          JSON.stringify([...outcomes]),
        );
        healthy();
      });

      it('survives a thread that writes over all slots while another makes calls', () => {
        for (let round = 0; round < 20; round++) {
          const caller = at(code.addressOf('calls'));
          const scribbler = at(code.addressOf('scribble'));
          // Values that are states, addresses of slots, and noise.
          const words = [0, 1, 2, 3, SLOTS_ADDR + 0x1000, SLOTS_ADDR + 0x3000, -1, 2 ** 45];
          scribbler.regs.set(r.RAX, words[round % words.length]!);
          caller.resume(as);
          scribbler.resume(as);
          for (let i = 0; i < 200; i++) {
            const ctx = within(2);
            if (ctx === null || ctx.event === EV_DEAD) break;
            ctx.resume(as);
          }
          caller.release();
          scribbler.release();
          as.release();
          as = space();
        }
        healthy();
      });

      /** A thread about to do rt_sigreturn from the stub's code, with a frame of the guest's own that leads to `label`. */
      function returning(label: string, mask: bigint, stack: { sp: number; size: number } | null): Context {
        const frame = memfile.alloc(1);
        const uc = new DataView(memfile.u8(frame).buffer, memfile.byteOffset(frame) + 0x400, 512);
        const put = (off: number, v: number): void => uc.setBigUint64(off, BigInt(v), true);
        put(UCONTEXT_UC_MCONTEXT + SIGCONTEXT_RIP, code.addressOf(label));
        put(UCONTEXT_UC_MCONTEXT + SIGCONTEXT_RSP, STACK);
        put(UCONTEXT_UC_MCONTEXT + SIGCONTEXT_EFLAGS, 0x202);
        uc.setUint16(UCONTEXT_UC_MCONTEXT + SIGCONTEXT_CS, 0x33, true);
        uc.setUint16(UCONTEXT_UC_MCONTEXT + SIGCONTEXT_SS, 0x2b, true);
        uc.setBigUint64(UCONTEXT_UC_SIGMASK, mask, true);
        put(UCONTEXT_UC_STACK, stack?.sp ?? 0);
        uc.setUint32(UCONTEXT_UC_STACK + 8, stack === null ? SS_DISABLE : 0, true);
        put(UCONTEXT_UC_STACK + 16, stack?.size ?? 0);
        as.map(DATA, frame, 1, PROT_READ | PROT_WRITE);
        const sigreturn =
          Buffer.from(stub.elf).indexOf(Buffer.from([0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05])) - 0x1000;
        const ctx = at(STUB_BASE + sigreturn);
        ctx.regs.set(r.RSP, DATA + 0x400);
        return ctx;
      }

      it('ends a process that blocks kicks, when its address space goes', () => {
        const ctx = returning('spin', 0xffff_ffff_ffff_ffffn, null);
        ctx.resume(as);
        assert.ok(within(5) === null, `${ctx.event} ${ctx.sig} ${ctx.faultAddr.toString(16)}`);
        ctx.interrupt();
        assert.ok(within(5) === null, 'the guest blocks the kick');
        renew(ctx);
        const next = one('calls');
        assert.ok(next.event === EV_SYSCALL || next.event === EV_KICK);
        renew(next);
        healthy();
      });

      it('hands nobody a thread whose signals come to another place of its slot', () => {
        const size = SLOT_SIZE - HEADER_SIZE - 0x800;
        const ctx = returning('calls', 0n, { sp: SLOTS_ADDR + HEADER_SIZE, size });
        ctx.resume(as);
        // It makes its calls, from a frame that is not the one that we write registers into: its own loss.
        assert.ok(within(500) === ctx);
        const { process } = as as SystrapAddressSpace;
        assert.equal(process.broken, 0);
        renew(ctx);
        assert.notEqual(process.broken, 0);
        healthy();
      });

      it('hands nobody a thread whose signals come to memory of the guest before', () => {
        const ctx = returning('calls', 0n, { sp: DATA, size: 0x2000 });
        ctx.resume(as);
        // It talks to a slot that nobody looks at.
        assert.ok(within(5) === null);
        ctx.interrupt();
        assert.ok(within(5) === null);
        renew(ctx);
        healthy();
      });
    },
  );
}
