import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { O_RDONLY, O_RDWR } from '../../../abi/fs/fcntl.ts';
import { S_IFREG } from '../../../abi/fs/stat.ts';
import { failed } from '../../base/errno.ts';
import { TestContext, testMemory } from '../../vfs/context.test.helper.ts';
import type { File } from '../../vfs/file.ts';
import { BindFs } from '../bind/bindfs.ts';
import { COPIED, CopyUp, MORE } from './copy.ts';

const host = mkdtempSync(join(tmpdir(), 'vedette-copy-'));
after(() => rmSync(host, { recursive: true }));
const BYTES = 64 << 20;
/** No call may hold the kernel for longer. */
const MOST_MS = 5;

function good<T extends object>(r: T | number): T {
  if (failed(r)) assert.fail(`errno ${-r}`);
  return r;
}

for (const byHost of [true, false])
  test(`a slice is short, ${byHost ? 'copied by the host' : 'copied by hand'}`, () => {
    const dir = join(host, String(byHost));
    mkdirSync(dir);
    const bytes = Buffer.alloc(BYTES, 'vedette');
    writeFileSync(join(dir, 'from'), bytes);
    const ctx = new TestContext();
    const { root } = good(BindFs.create(testMemory(), Buffer.from(dir).toString('latin1')));
    const made = good(root.create(ctx, 'made', S_IFREG | 0o600, 0));
    const out = good(made.open(ctx, O_RDWR));
    const from: File = good(good(root.lookup(ctx, 'from')).open(ctx, O_RDONLY));
    if (!byHost) Object.defineProperty(out, 'writeFd', { value: -1 });
    const copy = new CopyUp(ctx, ctx, { copyGivenUp: () => assert.fail() }, 'made', made, from, out, BYTES);
    const tookMs: number[] = [];
    let r = MORE;
    while (r === MORE) {
      // What this thread works counts, not what the machine does meanwhile.
      const before = process.cpuUsage();
      r = copy.step(ctx);
      const { user, system } = process.cpuUsage(before);
      tookMs.push((user + system) / 1e3);
    }
    assert.equal(r, COPIED);
    assert.ok(tookMs.length >= BYTES >>> 18, `${tookMs.length} slices`);
    tookMs.sort((a, b) => a - b);
    // V8's own threads, which collect and compile, count as well: they may have one in a hundred.
    assert.ok(tookMs[Math.floor(tookMs.length * 0.99) - 1]! < MOST_MS, tookMs.slice(-8).join(' '));
    assert.ok(readFileSync(join(dir, 'made')).equals(bytes));
  });
