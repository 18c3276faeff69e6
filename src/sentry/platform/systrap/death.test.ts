// No stub outlives the Sentry, however it ends; and the death of a stub is an event.
// suite: 3 s, alone

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EAGAIN } from '../../../abi/errno.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import { SIGALRM } from '../../../abi/signal/signal.ts';
import { SYS_getppid, SYS_setitimer } from '../../../abi/syscall.ts';
import { ITIMER_REAL } from '../../../abi/time/time.ts';
import { Assembler } from '../../../asm/index.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { HostPoller } from '../../../host/poller.ts';
import { catchHostSignal, hostSignalFd } from '../../../host/signals.ts';
import { hostCall } from '../../../host/syscall.ts';
import { MemoryFile } from '../../memfile/memfile.ts';
import { type Context, EV_DEAD, EV_SYSCALL } from '../platform.ts';
import { RIP } from '../regs.ts';
import type { SystrapAddressSpace } from './address_space.ts';
import type { SystrapContext } from './context.ts';
import { MAX_SLOTS, SLOT_PAGES, SLOTS_PER_BLOCK } from './layout.ts';
import { SystrapPlatform } from './systrap.ts';

/** Between two signals of a storm; the end of a process takes longer. */
const STORM_US = 100;

/** A sandbox with one thread that computes for ever, and one stub in the pool; [platform, context, pids]. */
function busy(): [SystrapPlatform, Context, number[]] {
  const memfile = MemoryFile.create();
  assert.ok(typeof memfile !== 'number');
  const platform = new SystrapPlatform(memfile, new HostPoller().fd);
  const a = platform.newAddressSpace();
  const b = platform.newAddressSpace();
  assert.ok(typeof a !== 'number' && typeof b !== 'number');
  const frame = memfile.alloc(1);
  memfile.u8(frame).set(new Assembler().label('spin').jmp('spin').finish(), memfile.byteOffset(frame));
  a.map(0x10000, frame, 1, PROT_READ | PROT_EXEC);
  const ctx = platform.newContext();
  ctx.regs.set(RIP, 0x10000);
  ctx.resume(a);
  while (platform.wait(false) !== null);
  b.release();
  return [platform, ctx, platform.pids()];
}

const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

if (process.argv[2] === 'child') {
  const [, , pids] = busy();
  process.stdout.write(`${pids.join(' ')}\n`);
  setInterval(() => {}, 1000);
} else {
  describe('deaths of the systrap platform', () => {
    it('leaves no stub behind after kill -9 of the Sentry', async () => {
      const child = spawn(process.execPath, [import.meta.filename, 'child'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const pids = line.toString().trim().split(' ').map(Number);
      assert.ok(pids.length >= 3 && pids.every(alive), line.toString());
      child.kill('SIGKILL');
      await once(child, 'exit');
      for (let i = 0; i < 2000 && pids.some(alive); i++) await sleep(10);
      assert.deepEqual(pids.filter(alive), []);
    });

    it('starts whatever descriptors are open already', () => {
      const open: number[] = [];
      const memfile = MemoryFile.create();
      assert.ok(typeof memfile !== 'number');
      const poller = new HostPoller();
      try {
        while ((open.at(-1) ?? 0) < 80) {
          open.push(openSync('/dev/null', 'r'));
          new SystrapPlatform(memfile, poller.fd).shutdown();
        }
      } finally {
        for (const fd of open) closeSync(fd);
      }
    });

    it('reports a death to a Sentry that never sleeps', () => {
      const [platform, ctx, pids] = busy();
      const other = platform.newContext() as SystrapContext;
      const { pid } = (ctx as SystrapContext).process!;
      assert.ok(pids.includes(pid));
      process.kill(pid, 'SIGKILL');
      const end = performance.now() + 5000;
      for (let came: Context | null = null; came !== ctx; ) {
        assert.ok(performance.now() < end);
        // There is always an event already.
        platform.handover.post(other);
        came = platform.wait(true);
      }
      assert.equal(ctx.event, EV_DEAD);
      platform.shutdown();
    });

    it('reports the contexts of a stub that was killed', () => {
      const [platform, ctx] = busy();
      process.kill((ctx as Context & { process: { pid: number } }).process.pid, 'SIGKILL');
      let came = null;
      while (came === null) came = platform.wait(true);
      assert.deepEqual([came === ctx, ctx.event, ctx.running], [true, EV_DEAD, false]);
      ctx.release();
      platform.shutdown();
    });

    it('has no thread for more contexts than slots', () => {
      const [platform, ctx] = busy();
      const as = platform.newAddressSpace() as SystrapAddressSpace;
      const more = platform.newContext();
      assert.equal(more.prepare(as), 0);
      const { process } = as;
      process.threads = MAX_SLOTS;
      const last = platform.newContext();
      assert.equal(last.prepare(as), -EAGAIN);
      assert.equal(process.broken, 0);
      process.threads = 1;
      assert.equal(last.prepare(as), 0);
      for (const c of [more, last, ctx]) c.release();
      as.release();
      platform.shutdown();
    });

    it('touches no memory of others for a context whose stub is dead', () => {
      const [platform, ctx] = busy();
      const { memfile } = platform;
      process.kill((ctx as Context & { process: { pid: number } }).process.pid, 'SIGKILL');
      let came = null;
      while (came === null) came = platform.wait(true);
      // What others get before the kernel comes to the dead one.
      const frames: number[] = [];
      for (let i = 0; i < 64; i++) {
        const frame = memfile.alloc(1);
        frames.push(frame);
        memfile.u8(frame).fill(0x7f, memfile.byteOffset(frame), memfile.byteOffset(frame) + 4096);
      }
      ctx.getXstate(new Uint8Array(platform.xstateSize));
      ctx.release();
      for (const frame of frames) {
        const at = memfile.byteOffset(frame);
        assert.ok(
          memfile
            .u8(frame)
            .subarray(at, at + 4096)
            .every((b) => b === 0x7f),
        );
      }
      platform.shutdown();
    });

    it('reports a stub once that dies while a call of it is looked at', () => {
      const memfile = MemoryFile.create();
      assert.ok(typeof memfile !== 'number');
      const platform = new SystrapPlatform(memfile, new HostPoller().fd, { patchCalls: true });
      const as = platform.newAddressSpace() as SystrapAddressSpace;
      const frame = memfile.alloc(1);
      const code = new Assembler()
        .label('again')
        .bytes([0xb8, SYS_getppid, 0, 0, 0]) // mov $nr,%eax as compilers write it
        .syscall()
        .jmp('again')
        .finish();
      memfile.u8(frame).set(code, memfile.byteOffset(frame));
      as.map(0x10000, frame, 1, PROT_READ | PROT_EXEC);
      let asked = 0;
      as.patchTarget = {
        readText: (addr, to) => {
          const at = memfile.byteOffset(frame) + (addr - 0x10000);
          to.set(memfile.u8(frame).subarray(at, at + to.length));
          return true;
        },
        imageStart: () => -1,
        patchText: () => {
          asked++;
          process.kill(as.process.pid, 'SIGKILL');
          as.map(0x20000, frame, 1, PROT_READ);
          as.flush();
          return false;
        },
      };
      const ctx = platform.newContext();
      ctx.regs.set(RIP, 0x10000);
      let calls = 0;
      let event = EV_SYSCALL;
      while (event === EV_SYSCALL && calls < 1000) {
        ctx.resume(as);
        let came = null;
        while (came === null) came = platform.wait(true);
        assert.equal(came, ctx);
        event = ctx.event;
        calls++;
      }
      assert.deepEqual([event, asked, ctx.running], [EV_DEAD, 1, false]);
      assert.ok(calls > 1);
      assert.equal(platform.wait(false), null);
      ctx.release();
      as.release();
      platform.shutdown();
    });

    it('has ended a process when it says so, whatever signals come meanwhile', () => {
      const memfile = MemoryFile.create();
      assert.ok(typeof memfile !== 'number');
      const platform = new SystrapPlatform(memfile, new HostPoller().fd);
      // Many pages, so that the end takes a while.
      const pages = 16_384;
      const frame = memfile.alloc(pages);
      assert.ok(hostSignalFd() >= 0);
      assert.equal(catchHostSignal(SIGALRM), 0);
      // By a timer, so that it leaves others some time: a loop of kill(2) beside two that compute took a machine over.
      const every = HostBuffer.alloc(32);
      every.view.setUint32(8, STORM_US, true);
      every.view.setUint32(24, STORM_US, true);
      assert.equal(hostCall(SYS_setitimer, ITIMER_REAL, every.addr, 0), 0);
      try {
        for (let i = 0; i < 20; i++) {
          const as = platform.newAddressSpace() as SystrapAddressSpace;
          const { pid } = as.process;
          as.map(0x100_0000, frame, pages, PROT_READ | PROT_WRITE, true);
          as.flush();
          as.process.end();
          assert.ok(!existsSync(`/proc/${pid}`));
          as.release();
        }
      } finally {
        every.view.setUint32(8, 0, true);
        every.view.setUint32(24, 0, true);
        hostCall(SYS_setitimer, ITIMER_REAL, every.addr, 0);
        platform.shutdown();
      }
    });

    it('has a first thread after all when there was no memory for it', () => {
      const memfile = MemoryFile.create(64 * 2 ** 20);
      assert.ok(typeof memfile !== 'number');
      const platform = new SystrapPlatform(memfile, new HostPoller().fd);
      platform.newAddressSpace();
      const as = platform.newAddressSpace() as SystrapAddressSpace;
      const code = memfile.alloc(1);
      memfile
        .u8(code)
        .set(new Assembler().label('again').syscall().jmp('again').finish(), memfile.byteOffset(code));
      as.map(0x10000, code, 1, PROT_READ | PROT_EXEC);
      const ctx = platform.newContext();
      ctx.regs.set(RIP, 0x10000);
      const frames: number[] = [];
      for (let f = memfile.alloc(1); f >= 0; f = memfile.alloc(1)) frames.push(f);
      // One page at a time there is enough for the slots, then for the orders, then for the thread.
      let refused = 0;
      while (refused < 100 && ctx.prepare(as) === -EAGAIN) {
        refused++;
        memfile.unref(frames.pop()!);
      }
      assert.ok(refused > SLOTS_PER_BLOCK * SLOT_PAGES, `${refused} refusals`);
      ctx.resume(as);
      let came = null;
      const end = performance.now() + 5000;
      while (came === null && performance.now() < end) came = platform.wait(false);
      assert.deepEqual([came === ctx, ctx.event], [true, EV_SYSCALL]);
      ctx.release();
      as.release();
      platform.shutdown();
    });
  });
}
