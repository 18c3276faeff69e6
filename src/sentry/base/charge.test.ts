import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Account, KernelMemory, ROOT_SHARE, USER_SHARE } from './charge.ts';

const LIMIT = 1000;

function book(): KernelMemory {
  const book = new KernelMemory();
  book.limit = LIMIT;
  return book;
}

/** Takes as long as one more fits. */
function fill(book: KernelMemory, account: Account): number {
  while (book.fits(1, account)) book.take(1, account);
  return account.bytes;
}

describe('KernelMemory', () => {
  test('a user has three quarters of what others leave over, and so has the next', () => {
    const b = book();
    assert.equal(fill(b, new Account(USER_SHARE)), 750);
    assert.equal(fill(b, new Account(USER_SHARE)), 187);
    assert.ok(fill(b, new Account(ROOT_SHARE)) > 50);
    assert.ok(b.used < LIMIT);
  });

  test('what is given back is there again, for whoever took it', () => {
    const b = book();
    const a = new Account(USER_SHARE);
    b.current = a;
    assert.equal(b.take(700), a);
    assert.ok(!b.fits(100));
    b.current = new Account(USER_SHARE);
    b.give(a, 700);
    assert.deepEqual([b.used, a.bytes, b.fits(700)], [0, 0, true]);
  });

  test('however many fill what they may, there is something left for one who comes later', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(USER_SHARE, ROOT_SHARE), { maxLength: 2 }), (shares) => {
        const b = book();
        for (const share of shares) fill(b, new Account(share));
        assert.ok(fill(b, new Account(USER_SHARE)) > 0);
      }),
    );
  });
});
