import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePageTableIsolation } from './machine.ts';
import { parsePss } from './memory.ts';
import { isWanted, parseRunscPlatforms } from './runners.ts';
import { medianSteps } from './startup.ts';
import { lacking, quote, type Unit } from './units.ts';

test('the platforms of a runsc are read from its help', () => {
  const help = (list: string) =>
    `  -platform string\n\tspecifies which platform to use: ${list}. (default "x")\n`;
  assert.deepEqual(parseRunscPlatforms(help('ptrace (default), kvm')), ['ptrace', 'kvm']);
  assert.deepEqual(parseRunscPlatforms(help('systrap (default), ptrace, kvm')), ['systrap', 'ptrace', 'kvm']);
  assert.deepEqual(parseRunscPlatforms('sh: runsc: not found'), []);
});

test('a full name of a runner stands for itself, a beginning for all', () => {
  const names = ['native', 'vedette-systrap', 'vedette-systrap-nofs', 'vedette-ptrace'];
  const chosen = (...only: string[]) => names.filter((name) => isWanted(name, only, names));
  assert.deepEqual(chosen('vedette-systrap'), ['vedette-systrap']);
  assert.deepEqual(chosen('vedette-s'), ['vedette-systrap', 'vedette-systrap-nofs']);
  assert.deepEqual(chosen('vedette-systrap-nofs', 'native'), ['native', 'vedette-systrap-nofs']);
  assert.deepEqual(chosen(), names);
});

test('page-table isolation is read from what the kernel says on Meltdown', () => {
  assert.equal(parsePageTableIsolation('Mitigation: PTI'), 'on');
  assert.equal(parsePageTableIsolation('Not affected'), 'off');
  assert.equal(parsePageTableIsolation('Vulnerable'), 'off');
  assert.equal(parsePageTableIsolation(''), 'unknown');
});

test('PSS is one line of smaps_rollup', () => {
  assert.equal(
    parsePss('00400000-7fff ---p [rollup]\nRss:  900 kB\nPss:   123 kB\nPss_Dirty:  45 kB\n'),
    123,
  );
  assert.equal(parsePss(''), 0);
});

test('steps keep their order and are medians over the runs', () => {
  const run = (a: number, b: number) => `{"step":"node","ms":${a}}\n{"step":"boot","ms":${b}}\n`;
  assert.deepEqual(medianSteps([run(40, 49), run(42, 50), run(90, 96)]), [
    { step: 'node', tookMs: 42, endMs: 42 },
    { step: 'boot', tookMs: 8, endMs: 50 },
  ]);
});

test('what a unit lacks is named', () => {
  const unit = (needs: string[]): Unit => ({ name: 'u', cases: ['u'], needs, command: () => [] });
  assert.equal(lacking(unit(['sh', '/bin/sh']), '/usr/bin:/bin'), undefined);
  assert.equal(lacking(unit(['sh', 'no-such-command']), '/usr/bin:/bin'), 'no-such-command');
  assert.equal(lacking(unit(['/no/such/file'])), '/no/such/file');
});

test('quoted text is one word of the shell', () => {
  assert.equal(quote("it's $x"), "'it'\\''s $x'");
});
