import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Assembler } from '../../asm/index.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { monotonicNs } from '../../host/clock.ts';
import { installCode, routine } from '../../host/ffi.ts';
import { TscClock } from '../kernel/tsc_clock.ts';
import { PARAM_CPU_USABLE, PARAM_TSC_USABLE, writeParams } from './params.ts';
import { VDSO_IMAGE, VDSO_IMAGE_SIZE } from './vdso.image.ts';

/** Image and parameter page as native code of this process, with the parameters as they are now. */
function install(clock: TscClock) {
  const page = new Int32Array(1024);
  writeParams(page, clock.params);
  const a = new Assembler();
  a.bytes(VDSO_IMAGE).bytes(new Uint8Array(page.buffer));
  a.label('end');
  const at = installCode(a.image())('end') - VDSO_IMAGE_SIZE - 4096;
  return (offset: number, signature: string) => routine(at + offset, signature);
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

describe('vdso', () => {
  const clock = new TscClock(0, PARAM_TSC_USABLE | PARAM_CPU_USABLE, 20);
  const code = install(clock);
  const ts = HostBuffer.alloc(16);
  const at = (o: number) => Number(ts.view.getBigInt64(o, true));

  it('tells monotonic time within 20 us of the host and never backwards', () => {
    const gettime = code(symbolOffset('__vdso_clock_gettime'), 'int vdso_gettime(int clock, int64_t ts)');
    let last = 0;
    for (let i = 0; i < 10000; i++) {
      assert.equal(gettime(1, ts.addr), 0);
      const ns = at(0) * 1e9 + at(8);
      assert.ok(ns >= last);
      last = ns;
    }
    // The closest of several tries: the machine may take the processor away between the two readings.
    let apart = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 50; i++) {
      gettime(1, ts.addr);
      const host = monotonicNs();
      apart = Math.min(
        apart,
        Math.abs(host - (at(0) * 1e9 + at(8))),
        Math.abs(clock.monotonicNs() - monotonicNs()),
      );
    }
    assert.ok(apart < 20_000, `${apart} ns apart`);
  });

  it('tells the date', () => {
    const gettime = code(symbolOffset('__vdso_clock_gettime'), 'int vdso_gettime2(int clock, int64_t ts)');
    gettime(0, ts.addr);
    assert.ok(Math.abs(at(0) * 1000 + at(8) / 1e6 - Date.now()) < 50);
    const time = code(symbolOffset('__vdso_time'), 'int64_t vdso_time(int64_t t)');
    assert.ok(Math.abs(time(0) - Date.now() / 1000) < 2);
    const day = code(symbolOffset('__vdso_gettimeofday'), 'int vdso_day(int64_t tv, int64_t tz)');
    assert.equal(day(ts.addr, 0), 0);
    assert.ok(at(8) < 1_000_000);
    assert.ok(Math.abs(at(0) * 1000 + at(8) / 1000 - Date.now()) < 50);
  });

  it('tells resolution and processor, and passes on what it does not know', () => {
    const getres = code(symbolOffset('__vdso_clock_getres'), 'int vdso_getres(int clock, int64_t ts)');
    assert.equal(getres(1, ts.addr), 0);
    assert.deepEqual([at(0), at(8)], [0, 1]);
    const getcpu = code(symbolOffset('__vdso_getcpu'), 'int vdso_getcpu(int64_t cpu, int64_t node)');
    assert.equal(getcpu(ts.addr, 0), 0);
    assert.ok(ts.view.getUint32(0, true) < 4096);
    const gettime = code(symbolOffset('__vdso_clock_gettime'), 'int vdso_gettime3(int clock, int64_t ts)');
    assert.equal(gettime(99, ts.addr), -22);
    assert.equal(gettime(2, ts.addr), 0);
  });

  it('stays close to the host over recalibrations', async () => {
    let last = clock.monotonicNs();
    for (let i = 0; i < 20; i++) {
      await new Promise((r) => setTimeout(r, 10));
      clock.recalibrate();
      const now = clock.monotonicNs();
      assert.ok(now >= last);
      last = now;
    }
    assert.ok(clock.errorNs < 50_000, `${clock.errorNs} ns`);
  });
});
