// Many guest threads at once: those beyond the limit wait for their turn, and from some number on those that report put
// themselves into a ring. Each gets on and gets its own results, whatever the others do.
// suite: 30 s, alone

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EPOLLIN } from '../../../abi/events/epoll.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import { SYS_getppid, SYS_read, SYS_timerfd_create, SYS_timerfd_settime } from '../../../abi/syscall.ts';
import { CLOCK_MONOTONIC } from '../../../abi/time/time.ts';
import { Assembler, dword, EAX, imm, mem, RAX, RBX, RCX, RDI } from '../../../asm/index.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { HostPoller } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { MemoryFile } from '../../memfile/memfile.ts';
import { RING_LAP_SHIFT, RING_SHIFT, RING_SIZE } from '../handover/line.ts';
import { EV_DEAD, EV_KICK, EV_SYSCALL } from '../platform.ts';
import * as r from '../regs.ts';
import type { SystrapAddressSpace } from './address_space.ts';
import type { SystrapContext } from './context.ts';
import { RING_ADDR } from './layout.ts';
import { STUB_SHAPES, type StubShape } from './shapes_of_stub.test.helper.ts';
import { SystrapPlatform } from './systrap.ts';

const CODE = 0x10000;
const DATA = 0x20000;
/** How long a wait of a test may take before it fails: rather a machine that is busy than a thread that starves. */
const LIMIT_NS = 20e9;
/** Between looks at the clock; less than the platform's own look at a ring that says nothing. */
const TICK_NS = 20_000_000;
/** Of the words that threads count in, one in each cache line. */
const LINE = 64;

const code = new Assembler({ base: CODE });
// Each call's first argument is the result of the one before.
code.label('calls').bytes([0xb8, SYS_getppid, 0, 0, 0]).syscall().mov(RDI, RAX).jmp('calls');
// Counts in its own word, without calls.
code
  .label('computes')
  .add(dword(mem(RBX)), imm(1))
  .jmp('computes');
// Fills the ring's page with rax, then with the next value.
code
  .label('scribble')
  .mov(RBX, imm(RING_ADDR))
  .mov(RCX, imm(RING_ADDR + 4096));
code
  .label('more')
  .mov(mem(RBX), RAX)
  .add(RBX, imm(8))
  .cmp(RBX, RCX)
  .jne('more')
  .add(RAX, imm(1))
  .jmp('scribble');
// Keeps the ring's counter where it is.
code
  .label('hold')
  .mov(RBX, imm(RING_ADDR))
  .label('held')
  .mov(dword(mem(RBX)), EAX)
  .jmp('held');
// Counts on and on, and writes no numbers.
code
  .label('count')
  .mov(RBX, imm(RING_ADDR))
  .label('counting')
  .add(dword(mem(RBX)), imm(1))
  .jmp('counting');
// Takes every number out again, or replaces it by rax.
code.label('erase').mov(RAX, imm(0)).jmp('replace');
code.label('mislead').mov(RAX, imm(0x1234_0000_1234n));
code
  .label('replace')
  .mov(RBX, imm(RING_ADDR + 4 * RING_SIZE))
  .mov(RCX, imm(RING_ADDR + 4096));
code.label('next').mov(mem(RBX), RAX).add(RBX, imm(8)).cmp(RBX, RCX).jne('next').jmp('replace');
const image = code.finish();

for (const shape of STUB_SHAPES) for (const patchCalls of [false, true]) suite(shape, patchCalls);

function suite({ bases, label, options }: StubShape, patchCalls: boolean): void {
  describe(
    `a crowd on the systrap platform ${label}${patchCalls ? ', with patched calls' : ''}`,
    options,
    () => {
      let memfile: MemoryFile;
      let poller: HostPoller;
      const platforms = new Map<number, SystrapPlatform>();

      before(() => {
        const mf = MemoryFile.create();
        assert.ok(typeof mf !== 'number');
        memfile = mf;
        poller = new HostPoller();
        // Ends waits now and then: guests may well never come back.
        const fd = hostCall(SYS_timerfd_create, CLOCK_MONOTONIC, 0);
        const spec = HostBuffer.alloc(32);
        for (const at of [8, 24]) spec.view.setUint32(at, TICK_NS, true);
        hostCall(SYS_timerfd_settime, fd, 0, spec.addr, 0);
        poller.add(fd, EPOLLIN, { onHostReady: () => hostCall(SYS_read, fd, spec.addr, 8) });
      });

      after(() => {
        for (const platform of platforms.values()) platform.shutdown();
      });

      /** Runs `body` with the platform that lets so many run. */
      function crowd(name: string, runLimit: number, body: (c: Crowd) => void): void {
        it(name, () => {
          let platform = platforms.get(runLimit);
          platform ??= new SystrapPlatform(memfile, poller.fd, { patchCalls, runLimit, bases });
          platforms.set(runLimit, platform);
          const c = new Crowd(memfile, poller, platform, patchCalls);
          try {
            body(c);
          } catch (error) {
            // Whatever it is, the next test shall not meet it.
            platforms.delete(runLimit);
            platform.shutdown();
            throw error;
          }
          c.end();
        });
      }

      crowd('gives each of many that call its turn', 2, (c) => {
        const as = c.space();
        const callers = c.start(12, 'calls', as);
        assert.equal(callers.filter((t) => t.ctx.queued).length, 10);
        c.serve('every one has made calls', () => callers.every((t) => t.calls >= 500));
        assert.ok(callers.filter((t) => t.ctx.queued).length >= 9);
      });

      crowd('gives those that compute and those that call their turns', 2, (c) => {
        const as = c.space();
        const computing = c.start(10, 'computes', as);
        const callers = c.start(2, 'calls', as);
        c.serve('the callers have made calls', () => callers.every((t) => t.calls >= 500));
        c.serve('all have computed', () => computing.every((t) => c.counted(t) > 0));
        // Not once only.
        const seen = computing.map((t) => c.counted(t));
        const calls = callers.map((t) => t.calls);
        c.serve('all go on', () => {
          const goOn = computing.every((t, i) => c.counted(t) !== seen[i]);
          return goOn && callers.every((t, i) => t.calls > calls[i]!);
        });
      });

      crowd('leaves no place empty when one that runs goes away', 2, (c) => {
        const as = c.space();
        let threads = c.start(8, 'computes', as);
        while (threads.length > 0) {
          const [gone] = threads.filter((t) => !t.ctx.queued);
          assert.ok(gone !== undefined);
          c.release(gone);
          threads = threads.filter((t) => t !== gone);
          const others = threads.filter((t) => t.ctx.queued).length;
          c.serve(
            'the next run',
            () => threads.filter((t) => t.ctx.queued).length <= Math.max(0, others - 1),
          );
        }
      });

      crowd('brings a kick to one that waits for its turn, and then its result', 2, (c) => {
        const as = c.space();
        const computing = c.start(4, 'computes', as);
        const callers = c.start(6, 'calls', as);
        for (let round = 0; round < 20; round++) {
          const before = callers.map((t) => t.calls);
          const waiting = callers.filter((t) => t.ctx.queued);
          assert.ok(waiting.length >= 4);
          for (const t of waiting) {
            const kicks = t.kicks;
            const result = t.ctx.regs.get(r.RAX);
            t.ctx.interrupt();
            t.ctx.interrupt();
            assert.deepEqual([t.ctx.running, t.ctx.queued, t.ctx.event], [false, false, EV_KICK]);
            // It does not take a turn of any length.
            let others = 0;
            for (let ctx = c.next(); ctx !== t.ctx; ctx = c.next()) {
              assert.ok(++others < 10);
              c.serveOne(c.threadOf(ctx));
            }
            assert.equal(t.ctx.event, EV_KICK);
            assert.equal(t.ctx.regs.get(r.RAX), result);
            c.serveOne(t);
            assert.equal(t.kicks, kicks + 1);
          }
          c.serve('all call again', () => callers.every((t, i) => t.calls > before[i]!));
        }
        assert.ok(computing.every((t) => t.ctx.running));
      });

      crowd('forgets one that is released while it waits', 2, (c) => {
        const as = c.space();
        const computing = c.start(2, 'computes', as);
        let callers = c.start(8, 'calls', as);
        for (let round = 0; round < 10; round++) {
          const waiting = callers.filter((t) => t.ctx.queued);
          assert.ok(waiting.length >= 6);
          for (const t of waiting.slice(0, 3)) {
            // One of them has been kicked as well.
            if (t === waiting[0]) t.ctx.interrupt();
            c.release(t);
          }
          callers = callers.filter((t) => !t.released);
          callers.push(...c.start(3, 'calls', as));
          const before = callers.map((t) => t.calls);
          c.serve('the others call', () => callers.every((t, i) => t.calls > before[i]!));
        }
        assert.ok(computing.every((t) => t.ctx.running));
        c.end();
        // Their threads are as good as new for the next.
        const next = c.space();
        const fresh = c.start(4, 'calls', next);
        c.serve('new ones call', () => fresh.every((t) => t.calls > 10));
      });

      for (const orders of [false, true])
        crowd(
          `reports each once whose process dies while it waits${orders ? ', for orders too' : ''}`,
          2,
          (c) => {
            for (let round = 0; round < 3; round++) {
              const [doomed, other] = [c.space(), c.space()];
              const dying = [...c.start(3, 'calls', doomed), ...c.start(3, 'computes', doomed)];
              const living = c.start(3, 'calls', other);
              const rest = c.start(3, 'calls', doomed);
              dying.push(...rest);
              c.serve('all have begun', () => [...rest, ...living].every((t) => t.calls > 0));
              assert.ok(dying.filter((t) => t.ctx.queued).length >= 6);
              // One has a kick on its way.
              const kicked = dying.find((t) => t.ctx.queued)!;
              kicked.ctx.interrupt();
              process.kill(doomed.process.pid, 'SIGKILL');
              // Whoever is to run next finds that its process carries out nothing.
              if (orders) doomed.unmap(DATA + 0x8000, 4096);
              // Deaths are seen when the platform sleeps.
              c.hold(living);
              c.serve('all are dead', () => dying.every((t) => t.deaths > 0));
              c.goOn(living);
              const before = living.map((t) => t.calls);
              c.serve('the others go on', () => living.every((t, i) => t.calls > before[i]! + 500));
              assert.deepEqual([...new Set(dying.map((t) => t.deaths))], [1]);
              assert.ok(dying.every((t) => !t.ctx.running && !t.ctx.queued));
              for (const t of [...dying, ...living]) c.release(t);
              doomed.release();
              other.release();
            }
          },
        );

      crowd('serves a hundred at once, through the ring', 1000, (c) => {
        const as = c.space();
        const callers = c.start(100, 'calls', as);
        assert.equal(c.platform.handover.ring.on, true);
        assert.equal(callers.filter((t) => t.ctx.queued).length, 0);
        c.serve('all have made calls', () => callers.every((t) => t.calls >= 100));
        // Few are left: it is not used any more, and the rest go on.
        for (const t of callers.slice(0, 80)) c.release(t);
        c.serve('the rest call', () => callers.slice(80).every((t) => t.calls >= 300));
        assert.equal(c.platform.handover.ring.on, false);
        const more = c.start(60, 'calls', as);
        assert.equal(c.platform.handover.ring.on, true);
        c.serve('all call', () => more.every((t) => t.calls >= 50));
      });

      crowd('serves those that wait for a turn while the ring is used', 64, (c) => {
        const as = c.space();
        const callers = c.start(100, 'calls', as);
        assert.equal(c.platform.handover.ring.on, true);
        assert.equal(callers.filter((t) => t.ctx.queued).length, 36);
        c.serve('all have made calls', () => callers.every((t) => t.calls >= 100));
        const dying = c.start(10, 'calls', c.space());
        process.kill(dying[0]!.as.process.pid, 'SIGKILL');
        c.hold(callers);
        c.serve('ten are dead', () => dying.every((t) => t.deaths === 1));
        c.goOn(callers);
        const before = callers.map((t) => t.calls);
        c.serve('the others go on', () => callers.every((t, i) => t.calls > before[i]! + 10));
        assert.ok(dying.every((t) => t.deaths === 1));
      });

      crowd('has none run before its turn, whatever the ring says', 64, (c) => {
        const as = c.space();
        // Those that compute keep the ring in use, and the callers waiting.
        const computing = c.start(70, 'computes', as);
        const callers = c.start(20, 'calls', as);
        const page = c.ringPage();
        c.serve(
          'all have made calls',
          () => callers.every((t) => t.calls >= 5),
          () => {
            assert.equal(c.platform.handover.ring.on, true);
            // As any guest can, in the name of every thread.
            for (let id = 0; id < 128; id++) {
              const n = Atomics.add(page, 0, 1);
              const lap = (n >>> RING_SHIFT) << RING_LAP_SHIFT;
              Atomics.store(page, RING_SIZE + (n & (RING_SIZE - 1)), lap | (id + 1));
            }
          },
        );
        c.serve('all have computed', () => computing.every((t) => c.counted(t) > 0));
      });

      // What a guest does to the page that all share.
      for (const harm of ['scribble', 'hold', 'count', 'erase', 'mislead'])
        crowd(`serves a hundred while a guest spoils the ring: ${harm}`, 1000, (c) => {
          const callers = c.start(100, 'calls', c.space());
          const [spoiler] = c.start(1, harm, c.space());
          assert.equal(c.platform.handover.ring.on, true);
          for (let n = 20; n <= 200; n += 20) {
            c.serve('all have made calls', () => callers.every((t) => t.calls >= n));
            assert.equal(c.platform.handover.ring.on, true);
          }
          assert.deepEqual([spoiler!.calls, spoiler!.deaths, spoiler!.ctx.running], [0, 0, true]);
        });
    },
  );
}

/** A guest thread, and what has come of it. */
interface Thread {
  readonly ctx: SystrapContext;
  readonly as: SystrapAddressSpace;
  readonly index: number;
  calls: number;
  kicks: number;
  deaths: number;
  released: boolean;
  /** It is to wait after its next call; it does. */
  hold: boolean;
  held: boolean;
}

/** A platform, its guest threads, and the kernel's part: answers. */
class Crowd {
  readonly platform: SystrapPlatform;
  private readonly memfile: MemoryFile;
  private readonly poller: HostPoller;
  private readonly patchCalls: boolean;
  private readonly threads = new Map<SystrapContext, Thread>();
  private readonly data: number;
  private readonly spaces: SystrapAddressSpace[] = [];
  private made = 0;

  constructor(memfile: MemoryFile, poller: HostPoller, platform: SystrapPlatform, patchCalls: boolean) {
    this.memfile = memfile;
    this.poller = poller;
    this.platform = platform;
    this.patchCalls = patchCalls;
    this.data = memfile.alloc(2);
  }

  space(): SystrapAddressSpace {
    const { memfile } = this;
    const as = this.platform.newAddressSpace() as SystrapAddressSpace;
    assert.equal(typeof as, 'object');
    this.spaces.push(as);
    const page = new Uint8Array(4096);
    page.set(image);
    const mapText = (): void => {
      const frame = memfile.alloc(1);
      memfile.u8(frame).set(page, memfile.byteOffset(frame));
      as.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
    };
    mapText();
    as.map(DATA, this.data, 2, PROT_READ | PROT_WRITE);
    if (this.patchCalls)
      as.patchTarget = {
        readText(addr, to) {
          if (addr < CODE || addr + to.length > CODE + 4096) return false;
          to.set(page.subarray(addr - CODE, addr - CODE + to.length));
          return true;
        },
        // Other threads run meanwhile: they get the new page when the orders are carried out.
        patchText(addr, bytes) {
          page.set(bytes, addr - CODE);
          mapText();
          return true;
        },
        imageStart: () => -1,
      };
    return as;
  }

  start(count: number, label: string, as: SystrapAddressSpace): Thread[] {
    return Array.from({ length: count }, () => {
      const ctx = this.platform.newContext() as SystrapContext;
      const index = this.made++ % 128;
      ctx.regs.set(r.RIP, code.addressOf(label));
      ctx.regs.set(r.RSP, DATA + 0x2000);
      ctx.regs.set(r.RBX, DATA + index * LINE);
      ctx.regs.set(r.RSI, this.made);
      const thread: Thread = {
        ctx,
        as,
        index,
        calls: 0,
        kicks: 0,
        deaths: 0,
        released: false,
        hold: false,
        held: false,
      };
      ctx.owner = thread;
      ctx.regs.set(r.RDI, this.resultOf(thread));
      this.threads.set(ctx, thread);
      ctx.resume(as);
      return thread;
    });
  }

  /** The ring's page, as guests see it. */
  ringPage(): Int32Array {
    const { frame } = this.platform.handover.ring;
    const at = this.memfile.byteOffset(frame) / 4;
    return this.memfile.i32(frame).subarray(at, at + 1024);
  }

  /** How far a thread has come that computes. */
  counted(t: Thread): number {
    return this.memfile.i32(this.data)[(this.memfile.byteOffset(this.data) + t.index * LINE) / 4]!;
  }

  threadOf(ctx: SystrapContext): Thread {
    const t = this.threads.get(ctx);
    assert.ok(t !== undefined, 'an event of one that is gone');
    return t;
  }

  /** The next event; fails when none comes for long. */
  next(end = monotonicNs() + LIMIT_NS): SystrapContext {
    for (;;) {
      const ctx = this.platform.wait(true);
      if (ctx !== null) return ctx as SystrapContext;
      this.poller.dispatch(0);
      if (monotonicNs() > end) assert.fail('no event');
    }
  }

  /** Answers until `done`, and does something else from time to time. */
  serve(what: string, done: () => boolean, meanwhile = (): void => {}): void {
    const end = monotonicNs() + LIMIT_NS;
    for (let i = 0; ; i++) {
      if (done()) return;
      if (i % 16 === 0) {
        meanwhile();
        if (monotonicNs() > end) assert.fail(`never: ${what}; ${this.summary()}`);
      }
      const ctx = this.platform.wait(true);
      if (ctx === null) this.poller.dispatch(0);
      else this.serveOne(this.threadOf(ctx as SystrapContext));
    }
  }

  /** Answers the event of one thread. */
  serveOne(t: Thread): void {
    const { ctx } = t;
    assert.deepEqual([ctx.running, ctx.queued], [false, false]);
    switch (ctx.event) {
      case EV_SYSCALL:
        assert.equal(ctx.regs.get(r.ORIG_RAX), SYS_getppid);
        assert.equal(ctx.regs.get(r.RDI), this.resultOf(t), 'another call, or the result of another');
        t.calls++;
        ctx.regs.set(r.RAX, this.resultOf(t));
        t.held = t.hold;
        if (t.held) return;
        break;
      case EV_KICK:
        t.kicks++;
        break;
      case EV_DEAD:
        t.deaths++;
        return;
      default:
        assert.fail(
          `event ${ctx.event} ${ctx.sig} at ${ctx.regs.get(r.RIP).toString(16)}; ${this.summary()}`,
        );
    }
    ctx.resume(t.as);
  }

  hold(threads: readonly Thread[]): void {
    for (const t of threads) t.hold = true;
  }

  goOn(threads: readonly Thread[]): void {
    for (const t of threads) {
      if (t.held) t.ctx.resume(t.as);
      t.hold = t.held = false;
    }
  }

  release(t: Thread): void {
    t.released = true;
    this.threads.delete(t.ctx);
    t.ctx.release();
  }

  /** Ends all threads and address spaces. */
  end(): void {
    for (const t of [...this.threads.values()]) this.release(t);
    for (const as of this.spaces.splice(0)) as.release();
  }

  /** The result of a thread's last call. */
  private resultOf(t: Thread): number {
    return t.index * 2 ** 32 + t.calls;
  }

  /** Of the threads that have come least far: calls, kicks and deaths. */
  private summary(): string {
    const all = [...this.threads.values()].sort((a, b) => a.calls - b.calls).slice(0, 10);
    return all.map((t) => `${t.calls}/${t.kicks}/${t.deaths}${t.ctx.queued ? ' (waits)' : ''}`).join(', ');
  }
}
