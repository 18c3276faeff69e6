// The choice between modes, without cpus: what windows of events say, and what trials come to.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Trial } from './trial.ts';
import { WEIGH_EVENTS, Weighing } from './weighing.ts';

/** A window of events that took `eachUs` each; then the modes are weighed. */
function window(w: Weighing, from: number, eachUs: number, more: () => void = () => {}): number {
  for (let i = 0; i < WEIGH_EVENTS; i++) assert.equal(w.event(1), i === WEIGH_EVENTS - 1);
  more();
  const end = from + WEIGH_EVENTS * eachUs * 1000;
  w.weigh(end);
  return end;
}

const times = (n: number, what: () => void): void => {
  for (let i = 0; i < n; i++) what();
};

describe('weighing of modes', () => {
  it('prefers the free mode for calls, and home for wake-ups', () => {
    const w = new Weighing(0);
    let at = window(w, 0, 5);
    assert.ok(w.wantsFree && !w.wantsHome);
    assert.equal(w.eachUs, 5);
    at = window(w, at, 5, () => {
      w.wakes += 100;
    });
    assert.ok(w.wantsHome && !w.wantsFree);
    window(w, at, 5);
    assert.ok(w.wantsFree);
  });

  it('takes the price of a call at home from the shortest ways', () => {
    const w = new Weighing(0);
    let at = 0;
    times(6, () => {
      at = window(w, at, 40, () => times(20, () => w.wasAwayAtHome(30_000 + 1000 * Math.random())));
    });
    assert.ok(w.homeCall > 25 && w.homeCall <= 31, String(w.homeCall));
    // As many wake-ups as would send others home.
    window(w, at, 40, () => {
      w.wakes += 50;
    });
    assert.ok(w.wantsFree);
  });

  it('takes the price of exchanges from both modes', () => {
    const w = new Weighing(0);
    const exchanges = (): void => times(120, () => w.exchanged(false, 10_000));
    let at = window(w, 0, 5, exchanges);
    assert.ok(w.wantsHome);
    // They cost hardly more in the free mode here; a single one that took long says nothing.
    times(8, () => w.exchanged(true, 12_000));
    w.exchanged(true, 50e6);
    at = window(w, at, 5, () => times(60, () => w.exchanged(true, 12_000)));
    at = window(w, at, 5, () => times(80, () => w.exchanged(true, 12_000)));
    assert.ok(w.wantsFree && !w.wantsHome);
  });

  it('spreads threads that compute between their calls', () => {
    const w = new Weighing(0);
    const two = (eachUs: number): void => {
      for (let i = 0; i < WEIGH_EVENTS; i++) w.event(2);
      w.weigh(WEIGH_EVENTS * eachUs * 1000);
    };
    two(100);
    assert.ok(w.spreadPays(2, false));
    two(6);
    assert.ok(!w.spreadPays(2, false));
  });
});

describe('trials of the free mode', () => {
  const MS = 1_000_000;

  it('keep on a busy host what is faster, as long as it is', () => {
    const t = new Trial();
    assert.ok(t.due(0));
    t.begin(0, 9, true);
    assert.ok(!t.failed(5 * MS, 1));
    t.count(4000, 6);
    assert.ok(!t.failed(26 * MS, 0));
    // A window with a slice of somebody else's in it is too short to tell.
    assert.ok(!t.failed(29 * MS, 0));
    t.count(4000, 6);
    assert.ok(!t.failed(52 * MS, 0));
    t.count(100, 250);
    assert.ok(t.failed(78 * MS, 0));
  });

  it('fail on a busy host when nothing comes, or it is hardly faster, and wait longer each time', () => {
    const t = new Trial();
    let at = 0;
    let last = 0;
    for (let i = 0; i < 8; i++) {
      t.begin(at, 9, true);
      t.count(i % 2 === 0 ? 10 : 1700, 15);
      assert.ok(t.failed(at + 25 * MS, 0));
      const from = at + 25 * MS;
      for (at = from; !t.due(at); at += MS);
      const pause = at - from;
      assert.ok(pause >= last, `${pause}`);
      last = pause;
    }
    assert.ok(last >= 3000 * MS && last < 5000 * MS);
  });

  it('end on an idle host only when events take far longer than at home', () => {
    const t = new Trial();
    t.begin(0, 20, false);
    t.count(1000, 25);
    assert.ok(!t.failed(25 * MS, 0));
    t.count(750, 33);
    assert.ok(!t.failed(50 * MS, 0));
    t.count(500, 50);
    assert.ok(t.failed(75 * MS, 0));
    t.begin(100 * MS, 20, false);
    assert.ok(!t.failed(124 * MS, 10));
    assert.ok(t.failed(125 * MS, 10));
    assert.ok(t.due(125 * MS));
  });

  it('pass over one bad result on an idle host after events that were fast', () => {
    const t = new Trial();
    t.begin(0, 10, false);
    t.count(1000, 4);
    assert.ok(!t.failed(25 * MS, 0) && t.promised, 'spared: 25 us each, but some took 4');
    t.count(100, 250);
    assert.ok(t.failed(75 * MS, 0), 'a second one ends it');
    t.begin(100 * MS, 10, false);
    t.count(300, 4);
    assert.ok(!t.failed(125 * MS, 0), 'spared');
    t.count(5000, 5);
    assert.ok(!t.failed(150 * MS, 0));
    t.count(100, 250);
    assert.ok(!t.failed(175 * MS, 0), 'and again, as it was good in between');
    assert.ok(t.failed(200 * MS, 100));
  });
});
