import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME,
  CLOCK_REALTIME_COARSE,
} from '../../abi/time/time.ts';
import {
  Assembler,
  EAX,
  imm,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
} from '../../asm/index.ts';
import { hostVdsoAddr } from '../../host/auxv.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { hostClockSec, lastNsec } from '../../host/clock.ts';
import { installCode, routine } from '../../host/ffi.ts';
import { clockSource } from '../../host/tsc.ts';
import { TscClock } from '../kernel/time/tsc_clock.ts';
import { hostGettimeOffset } from '../platform/stub/host_vdso.ts';
import { PARAM_CPU_USABLE, PARAM_HOST_USABLE, PARAM_TSC_USABLE, ParamPage } from './params.ts';
import { VDSO_IMAGE, VDSO_IMAGE_SIZE } from './vdso.image.ts';

const WAYS = ['tsc', 'vdso'] as const;
type Way = (typeof WAYS)[number];

/** What this host lacks for a way; false when nothing. */
const LACKS: Readonly<Record<Way, string | false>> = {
  tsc: clockSource() === 'tsc' ? false : `the host's clock source is not tsc, but ${clockSource()}`,
  vdso: hostGettimeOffset() !== 0 ? false : 'the host has no vDSO',
};

/** Our zero in these tests, in the host's clock: its parts do not come out even. */
const BOOT = { sec: 3, nsec: 999_999_999 };
const BOOT_NS = 3_999_999_999n;

let prototypes = 0;

/** A C function at `address`; prototypes need names of their own. */
function native(address: number, signature: string): (...args: number[]) => number {
  return routine(address, signature.replace(/f\(/, `vdso_test${++prototypes}(`));
}

/** Image and parameter page as native code of this process, with the parameters as they are now. */
function install(way: Way, clock: TscClock) {
  const words = new Int32Array(1024);
  const page = new ParamPage(words);
  page.lock();
  page.setLine(clock.line);
  page.setHost(hostVdsoAddr() + hostGettimeOffset(), BOOT.sec, BOOT.nsec);
  page.setFlags(PARAM_CPU_USABLE | (way === 'tsc' ? PARAM_TSC_USABLE : PARAM_HOST_USABLE));
  page.publish();
  const a = new Assembler();
  a.bytes(VDSO_IMAGE).bytes(new Uint8Array(words.buffer));
  a.align(16);
  emitCheckedCall(a);
  a.align(4096).label('end');
  const image = a.image();
  const code = installCode(image);
  const at = code('checked') - CHECKED_AT;
  return {
    call: (name: string, signature: string) => native(at + symbolOffset(name), signature),
    address: (name: string) => at + symbolOffset(name),
    checked: native(code('checked'), 'int64_t f(int64_t f, int64_t a, int64_t b, int64_t odd)'),
  };
}

const CHECKED_AT = VDSO_IMAGE_SIZE + 4096;
const KEPT = [RBX, RBP, R12, R13, R14, R15];

/** long checked(f, a, b, odd): f(a, b) with rsp moved by `odd`; 1000 when a register that C keeps was not kept. */
function emitCheckedCall(a: Assembler): void {
  a.label('checked');
  for (const reg of KEPT) a.push(reg);
  a.mov(RAX, RDI).mov(RDI, RSI).mov(RSI, RDX).mov(R12, RCX);
  a.mov(RBX, RSP).mov(RBP, imm(0x1234_5678_9abc)).mov(R13, RBP).mov(R14, RBP).mov(R15, RBP);
  a.and(RSP, imm(-16)).sub(RSP, R12).call(RAX).add(RSP, R12);
  a.mov(RCX, imm(0x1234_5678_9abc));
  for (const reg of [RBP, R13, R14, R15]) a.cmp(reg, RCX).jne('lost');
  a.jmp('kept').label('lost').mov(EAX, imm(1000)).label('kept').mov(RSP, RBX);
  for (const reg of KEPT.toReversed()) a.pop(reg);
  a.ret();
}

function symbolOffset(name: string): number {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-vdso-'));
  try {
    writeFileSync(join(dir, 'v.so'), VDSO_IMAGE);
    const r = spawnSync('readelf', ['-W', '--dyn-syms', join(dir, 'v.so')], { encoding: 'utf8' });
    const line = r.stdout.split('\n').find((l) => l.includes(` ${name}@`));
    assert.ok(line !== undefined, r.stdout + r.stderr);
    return Number.parseInt(line.trim().split(/\s+/)[1]!, 16);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const GETTIME = 'int f(int clock, int64_t ts)';

for (const way of WAYS) {
  describe(`vdso, ${way}`, { skip: LACKS[way] }, () => {
    const clock = new TscClock(BOOT_NS, 20);
    const { call, address, checked } = install(way, clock);
    const ts = HostBuffer.alloc(16);
    const at = (o: number) => Number(ts.view.getBigInt64(o, true));
    const read = () => at(0) * 1e9 + at(8);
    const hostNs = () => (hostClockSec(CLOCK_MONOTONIC) - BOOT.sec) * 1e9 + lastNsec() - BOOT.nsec;

    it('tells monotonic time as the host does, and never backwards', () => {
      const gettime = call('__vdso_clock_gettime', GETTIME);
      let last = 0;
      for (let i = 0; i < 10000; i++) {
        assert.equal(gettime(CLOCK_MONOTONIC, ts.addr), 0);
        assert.ok(at(8) >= 0 && at(8) < 1e9);
        const ns = read();
        assert.ok(ns >= last);
        last = ns;
      }
      // The closest of several tries: the machine may take the processor away between the two readings.
      let apart = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 50; i++) {
        const before = hostNs();
        gettime(CLOCK_MONOTONIC, ts.addr);
        const after = hostNs();
        if (way === 'vdso') assert.ok(before <= read() && read() <= after, `${before} ${read()} ${after}`);
        apart = Math.min(apart, Math.abs(after - read()));
      }
      assert.ok(apart < 20_000, `${apart} ns apart`);
    });

    it('tells all monotonic clocks alike, and all dates', () => {
      const gettime = call('__vdso_clock_gettime', GETTIME);
      for (const id of [CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME]) {
        gettime(id, ts.addr);
        assert.ok(Math.abs(read() - hostNs()) < 50e6, `clock ${id}`);
      }
      for (const id of [CLOCK_REALTIME, CLOCK_REALTIME_COARSE]) {
        gettime(id, ts.addr);
        assert.ok(Math.abs(at(0) * 1000 + at(8) / 1e6 - Date.now()) < 50, `clock ${id}`);
      }
    });

    it('tells the date', () => {
      const time = call('__vdso_time', 'int64_t f(int64_t t)');
      assert.ok(Math.abs(time(0) - Date.now() / 1000) < 2);
      assert.equal(time(ts.addr), at(0));
      const day = call('__vdso_gettimeofday', 'int f(int64_t tv, int64_t tz)');
      assert.equal(day(ts.addr, 0), 0);
      assert.ok(at(8) < 1_000_000);
      assert.ok(Math.abs(at(0) * 1000 + at(8) / 1000 - Date.now()) < 50);
      ts.view.setBigInt64(0, -1n, true);
      assert.equal(day(0, ts.addr), 0);
      assert.equal(at(0), 0);
    });

    it('tells resolution and processor, and passes on what it does not know', () => {
      const getres = call('__vdso_clock_getres', 'int f(int clock, int64_t ts)');
      assert.equal(getres(CLOCK_MONOTONIC, ts.addr), 0);
      assert.deepEqual([at(0), at(8)], [0, 1]);
      const getcpu = call('__vdso_getcpu', 'int f(int64_t cpu, int64_t node)');
      assert.equal(getcpu(ts.addr, 0), 0);
      assert.ok(ts.view.getUint32(0, true) < 4096);
      const gettime = call('__vdso_clock_gettime', GETTIME);
      assert.equal(gettime(99, ts.addr), -22);
      assert.equal(gettime(2, ts.addr), 0);
    });

    it('keeps the registers that C functions keep, wherever the stack is', () => {
      for (const odd of [0, 8]) {
        for (const id of [CLOCK_REALTIME, CLOCK_MONOTONIC])
          assert.equal(checked(address('__vdso_clock_gettime'), id, ts.addr, odd), 0);
        assert.equal(checked(address('__vdso_gettimeofday'), ts.addr, 0, odd), 0);
        assert.ok(checked(address('__vdso_time'), 0, 0, odd) > 1.7e9);
      }
    });
  });
}

describe('the line through the counter', { skip: LACKS.tsc }, () => {
  const hostNs = () => (hostClockSec(CLOCK_MONOTONIC) - BOOT.sec) * 1e9 + lastNsec() - BOOT.nsec;
  const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));

  it('stays close to the host over recalibrations', async () => {
    const clock = new TscClock(BOOT_NS, 20);
    let last = clock.monotonicNs();
    for (let i = 0; i < 20; i++) {
      await pause(10);
      clock.recalibrate(() => {
        // What is read while it measures is not more than what comes then.
        last = Math.max(last, clock.monotonicNs());
      });
      const now = clock.monotonicNs();
      assert.ok(now >= last);
      last = now;
    }
    assert.ok(clock.errorNs < 50_000, `${clock.errorNs} ns`);
  });

  it("begins at the host's time after a rest, though the rate was wrong", async () => {
    const clock = new TscClock(BOOT_NS, 20);
    // Since the last calibration the host's clock was slowed down by a tenth: ours is far ahead when it wakes.
    clock.line.mult += clock.line.mult / 10n;
    const wrong = clock as unknown as { nsPerTick: number };
    wrong.nsPerTick *= 1.1;
    const before = clock.monotonicNs();
    clock.rest();
    await pause(50);
    // We may lose the cpu between two readings: that must not count.
    const ahead = hostNs();
    assert.ok(clock.monotonicNs() - ahead > 4e6, 'the test makes no difference');
    clock.resume();
    const from = hostNs();
    const now = clock.monotonicNs();
    const to = hostNs();
    assert.ok(now >= before);
    assert.ok(now > from - 1e6 && now < to + 1e6, `${now - from} ns, ${now - to} ns`);
  });

  it('learns no rate from a reading in whose midst somebody else ran, also when no rate is trusted', () => {
    const clock = new TscClock(BOOT_NS, 20);
    const inner = clock as unknown as {
      rate: bigint;
      trusted: boolean;
      last: { ticks: number; monotonicNs: bigint };
      measureRate(s: object): void;
    };
    const { rate, last } = inner;
    inner.trusted = false;
    // A hundredth of a second after the last one, of which half was spent between two readings of this one.
    const ticks = last.ticks + 20e6;
    inner.measureRate({ ticks, monotonicNs: last.monotonicNs + 5_000_000n, realtimeNs: 0n, width: 10e6 });
    assert.equal(inner.rate, rate);
    inner.measureRate({ ticks, monotonicNs: last.monotonicNs + 5_000_000n, realtimeNs: 0n, width: 1000 });
    assert.notEqual(inner.rate, rate, 'the test makes no difference');
  });

  it('never goes back when it is ahead by much: its zero moves instead', async () => {
    const clock = new TscClock(BOOT_NS, 20);
    clock.line.monotonicNs += 3_600_000_000_000n;
    (clock as unknown as { monotonicAtBase: number }).monotonicAtBase += 3.6e12;
    const before = clock.monotonicNs();
    await pause(5);
    clock.recalibrate(() => {});
    assert.ok(clock.monotonicNs() >= before);
    assert.ok(Math.abs(Number(BOOT_NS - clock.bootNs) - 3.6e12) < 1e6);
    // And it steps when it is behind by much.
    clock.line.monotonicNs -= 60_000_000_000n;
    (clock as unknown as { monotonicAtBase: number }).monotonicAtBase -= 6e10;
    clock.recalibrate(() => {});
    const from = hostNs() + 3.6e12;
    const now = clock.monotonicNs();
    assert.ok(now > from - 1e6 && now < hostNs() + 3.6e12 + 1e6);
  });
});
