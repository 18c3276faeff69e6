import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  SIG_DFL,
  SIG_IGN,
  SIGCHLD,
  SIGHUP,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SIGTERM,
  SIGUSR1,
} from '../../../abi/signal/signal.ts';
import { kernelInfo, type SigInfo, userInfo } from './siginfo.ts';
import {
  isFatalByDefault,
  lowestSignal,
  PendingSignals,
  SignalHandlers,
  sigBit,
  TaskSignals,
} from './state.ts';

function drain(p: PendingSignals, blockedLo = 0, blockedHi = 0): SigInfo[] {
  const out: SigInfo[] = [];
  for (let sig = p.next(blockedLo, blockedHi); sig !== 0; sig = p.next(blockedLo, blockedHi)) {
    out.push(p.take(sig)!);
  }
  return out;
}

describe('PendingSignals', () => {
  test('gives synchronous signals first, then by number, and each in order of arrival', () => {
    const p = new PendingSignals();
    const order = [40, SIGTERM, 34, 40, SIGSEGV, SIGHUP, 34];
    for (const [i, sig] of order.entries()) p.push(userInfo(sig, i, 0));
    const got = drain(p).map((info) => [info.signo, info.pid]);
    assert.deepEqual(got, [
      [SIGSEGV, 4],
      [SIGHUP, 5],
      [SIGTERM, 1],
      [34, 2],
      [34, 6],
      [40, 0],
      [40, 3],
    ]);
    assert.equal(p.lo | p.hi, 0);
  });

  test('leaves blocked signals where they are', () => {
    const p = new PendingSignals();
    for (const sig of [SIGHUP, 33, 64]) p.push(kernelInfo(sig));
    assert.deepEqual(
      drain(p, sigBit(SIGHUP), sigBit(64)).map((i) => i.signo),
      [33],
    );
    assert.ok(p.has(SIGHUP) && p.has(64) && !p.has(33));
  });

  test('counts an instance against its user until it is taken, dropped or removed', () => {
    const user = {
      uid: 1,
      tasks: 0,
      sigpending: 0,
      msgqueueBytes: 0,
      groups: [],
      running: 0,
      held: 0,
      enqueued() {
        this.sigpending++;
      },
      dequeued() {
        this.sigpending--;
      },
      bytes: 0,
      share: 1,
      places: 0,
      files: { bytes: 0, share: 1 },
    };
    const p = new PendingSignals();
    const infos = [34, 34, 35, SIGUSR1].map((sig) => kernelInfo(sig));
    for (const info of infos) {
      info.user = user;
      user.sigpending++;
      p.push(info);
    }
    p.take(34);
    assert.equal(user.sigpending, 3);
    assert.ok(p.removeInfo(infos[1]!));
    assert.ok(!p.has(34));
    assert.equal(user.sigpending, 2);
    p.discard(0xffffffff, 0xffffffff);
    assert.equal(user.sigpending, 0);
    assert.equal(p.lo | p.hi, 0);
  });

  test('removing one instance keeps the order of the others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.nat(9), (n, at) => {
        const p = new PendingSignals();
        const infos = Array.from({ length: n }, (_, i) => userInfo(50, i, 0));
        for (const info of infos) p.push(info);
        const victim = infos[at % n]!;
        assert.ok(p.removeInfo(victim));
        assert.ok(!p.removeInfo(victim));
        p.push(userInfo(50, 99, 0));
        assert.deepEqual(
          drain(p).map((i) => i.pid),
          [...infos.filter((i) => i !== victim).map((i) => i.pid), 99],
        );
      }),
    );
  });
});

test('lowestSignal finds every single signal', () => {
  for (let sig = 1; sig <= 64; sig++) {
    const lo = sig <= 32 ? sigBit(sig) : 0;
    const hi = sig > 32 ? sigBit(sig) : 0;
    assert.equal(lowestSignal(lo, hi), sig);
  }
  assert.equal(lowestSignal(0, 0), 0);
});

describe('SignalHandlers', () => {
  test('knows what is ignored', () => {
    const h = new SignalHandlers();
    assert.ok(h.ignores(SIGCHLD) && !h.ignores(SIGTERM));
    h.setHandler(SIGTERM, SIG_IGN);
    h.setHandler(SIGCHLD, 0x1000);
    h.setHandler(60, SIG_IGN);
    assert.ok(h.ignores(SIGTERM) && !h.ignores(SIGCHLD) && h.ignores(60));
    const copy = h.clone();
    copy.reset();
    // exec: caught goes back to the default, ignored stays.
    assert.ok(copy.ignores(SIGTERM) && copy.ignores(SIGCHLD) && copy.ignores(60));
    assert.equal(copy.actions[SIGCHLD]!.handler, SIG_DFL);
    assert.equal(h.actions[SIGCHLD]!.handler, 0x1000);
  });

  test('default actions', () => {
    assert.ok(isFatalByDefault(SIGTERM) && isFatalByDefault(SIGKILL) && isFatalByDefault(34));
    assert.ok(!isFatalByDefault(SIGSTOP) && !isFatalByDefault(SIGCHLD));
  });
});

describe('TaskSignals', () => {
  test('a temporary mask comes back, also when it is set again by a retry', () => {
    const s = new TaskSignals();
    s.setMask(sigBit(SIGTERM), 7);
    s.setTemporaryMask(0, 0);
    s.setTemporaryMask(0, 0);
    assert.equal(s.maskLo, 0);
    s.restoreMask();
    assert.deepEqual([s.maskLo, s.maskHi, s.hasSaved], [sigBit(SIGTERM), 7, false]);
  });

  test('SIGKILL and SIGSTOP cannot be blocked', () => {
    const s = new TaskSignals();
    s.setMask(0xffffffff, 0xffffffff);
    assert.equal(s.maskLo & sigBit(SIGKILL), 0);
    assert.equal(s.maskLo & sigBit(SIGSTOP), 0);
    assert.equal(s.maskHi, 0xffffffff);
  });
});
