import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { collect, endWith, type Filter } from './body.ts';

const asIs: Filter = { push: (b) => b, end: () => Buffer.alloc(0), refused: false };
const ended = (body: Buffer | null): boolean => body !== null;

/** What becomes of `count` bodies of a MiB each. */
async function collectMany(count: number): Promise<(Buffer | null)[]> {
  const chunk = Buffer.alloc(1 << 20);
  const all = Array.from(
    { length: count },
    () => new Promise<Buffer | null>((done) => collect(Readable.from([chunk]), asIs, 2 << 20, done)),
  );
  return await Promise.all(all);
}

test('whole bodies have a bound together, and one each; what is let go can be had again', async () => {
  for (let round = 0; round < 3; round++) {
    const bodies = await collectMany(200);
    assert.equal(bodies.filter(ended).length, 128);
    const sink = () => new Writable({ write: (_, __, done) => done() });
    for (const [i, body] of bodies.entries()) if (body !== null) endWith(i % 2 ? sink() : null, body);
    await turn();
    await turn();
  }
  const large = new PassThrough();
  const refused = new Promise<Buffer | null>((done) => collect(large, asIs, 10, done));
  large.end('more than ten bytes');
  assert.equal(await refused, null);
});
