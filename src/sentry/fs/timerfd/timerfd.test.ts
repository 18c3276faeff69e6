import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EAGAIN, ECANCELED } from '../../../abi/errno.ts';
import { CLOCK_MONOTONIC, CLOCK_REALTIME, type Itimerspec } from '../../../abi/time/time.ts';
import { TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET } from '../../../abi/time/timerfd.ts';
import { KernelIo } from '../../base/io.ts';
import type { Timer, TimeSource } from '../../base/time.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { TestContext } from '../../vfs/context.test.helper.ts';
import { TimerFile } from './timerfd.ts';

/** A clock that moves when told to and holds one timer. */
class Clock implements TimeSource {
  now = 1000;
  realtimeNsec = 0;
  timer: Timer | null = null;
  at = 0;
  monotonicNs(): number {
    return this.now;
  }
  recentRealtimeSec(): number {
    return this.realtimeSec();
  }
  realtimeSec(): number {
    this.realtimeNsec = 500 + this.now;
    return 1_700_000_000;
  }
  arm(timer: Timer, deadlineNs: number): void {
    this.timer = timer;
    timer.index = 0;
    this.at = deadlineNs;
  }
  cancel(timer: Timer): void {
    timer.index = -1;
    this.timer = null;
  }
  advance(ns: number): void {
    this.now += ns;
    const t = this.timer;
    if (t === null || this.at > this.now) return;
    this.cancel(t);
    t.target.onTimer(t, this.now);
  }
}

const ctx = new TestContext();

function read(f: TimerFile): number {
  const bytes = new Uint8Array(8);
  const n = f.read(ctx, new KernelIo(bytes));
  return n < 0 ? n : Number(new DataView(bytes.buffer).getBigUint64(0, true));
}

function spec(valueNsec: number, intervalNsec = 0, valueSec = 0): Itimerspec {
  return { intervalSec: 0, intervalNsec, valueSec, valueNsec };
}

function timer(clock: Clock, id = CLOCK_MONOTONIC): TimerFile {
  return new TimerFile(new AnonInode(anonInodeFs, 0), 0, id, clock);
}

test('intervals are counted while nobody reads, without arming the clock', () => {
  const clock = new Clock();
  const f = timer(clock);
  f.setTime(0, spec(100, 10));
  assert.equal(read(f), -EAGAIN);
  clock.advance(99);
  assert.equal(f.poll(), 0);
  clock.advance(1);
  assert.equal(f.poll(), 1);
  assert.equal(clock.timer, null);
  clock.advance(35);
  assert.equal(read(f), 4);
  assert.equal(clock.at, 1140);
  clock.advance(5);
  assert.equal(read(f), 1);
  const left = spec(0);
  f.getTime(left);
  assert.deepEqual([left.valueNsec, left.intervalNsec], [10, 10]);
});

test('absolute times of either clock', () => {
  const clock = new Clock();
  const f = timer(clock);
  f.setTime(TFD_TIMER_ABSTIME, spec(1500));
  assert.equal(clock.at, 1500);
  f.setTime(TFD_TIMER_ABSTIME, spec(1));
  clock.advance(0);
  assert.equal(read(f), 1);
  const g = timer(clock, CLOCK_REALTIME);
  g.setTime(TFD_TIMER_ABSTIME, spec(0, 0, 1_700_000_001));
  assert.equal(clock.at, clock.now + 1e9 - 1500);
});

test('a one-shot ends, a zero disarms, a set clock cancels', () => {
  const clock = new Clock();
  const f = timer(clock, CLOCK_REALTIME);
  f.setTime(0, spec(10));
  clock.advance(10);
  assert.equal(read(f), 1);
  clock.advance(100);
  assert.equal(read(f), -EAGAIN);
  f.setTime(0, spec(10));
  f.setTime(0, spec(0));
  clock.advance(100);
  assert.equal(read(f), -EAGAIN);
  f.setTime(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, spec(0, 0, 1_800_000_000));
  f.onClockSet();
  assert.equal(read(f), -ECANCELED);
  assert.equal(read(f), -EAGAIN);
});
