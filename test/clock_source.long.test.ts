// The host's clock source changes while sandboxes run, there and back: monotonic time goes on. Only root can do that, and
// it is a change to the whole machine for some seconds.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { clockSourceFile, mayWrite, platformNames } from './harness/clocks.ts';
import { compileGuest, runInside } from './harness/guest.ts';
import { nativeOnly } from './harness/needs.ts';

/** What the host can tell time by, tsc first. */
function sources(): string[] {
  try {
    const text = readFileSync(clockSourceFile.replace('current', 'available'), 'utf8');
    return readFileSync(clockSourceFile, 'utf8').trim() === 'tsc' ? text.trim().split(/\s+/) : [];
  } catch {
    return [];
  }
}

const others = sources().filter((name) => name !== 'tsc');
const lack = !mayWrite(clockSourceFile)
  ? 'only root may change the clock source'
  : others.length === 0
    ? 'the host has no clock source besides tsc, or does not use that'
    : nativeOnly;

for (const other of others) {
  for (const platform of platformNames) {
    test(`tsc to ${other} and back, ${platform}`, { skip: lack }, async () => {
      const log = mkdtempSync(join(tmpdir(), 'vedette-source-'));
      const back = () => writeFileSync(clockSourceFile, 'tsc');
      process.once('exit', back);
      try {
        const running = runInside([await compileGuest('clock_threads')], {
          timeoutMs: 60_000,
          env: { VEDETTE_SECONDS: '9' },
          flags: [`--platform=${platform}`, '--clock=auto', '--debug-log', log],
        });
        await pause(3000);
        writeFileSync(clockSourceFile, other);
        await pause(3000);
        back();
        const r = await running;
        assert.equal(r.status, 0, r.stdout + r.stderr);
        const logged = readdirSync(log).map((name) => readFileSync(join(log, name), 'utf8'));
        assert.match(logged.join(''), new RegExp(`clocks: tsc -> (vdso|call) \\(clock source ${other}\\)`));
      } finally {
        back();
        process.off('exit', back);
        rmSync(log, { recursive: true, force: true });
      }
    });
  }
}
if (others.length === 0) test('tsc to another clock source and back', { skip: lack }, () => {});
