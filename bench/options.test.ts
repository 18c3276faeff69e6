import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions, UserError } from './options.ts';
import { checkRunners } from './runners.ts';
import { select } from './selection.ts';

test('three rounds, or one when quick, unless told', () => {
  assert.equal(parseOptions([]).rounds, 3);
  assert.equal(parseOptions(['--quick']).rounds, 1);
  assert.equal(parseOptions(['--quick', '--rounds', '2']).rounds, 2);
  assert.equal(parseOptions(['--busy', '2']).busy, 2);
  assert.deepEqual(parseOptions(['--only', 'vedette,runsc', 'stat']).only, ['vedette', 'runsc']);
});

test('wrong usage is told before anything runs', () => {
  for (const args of [
    ['--rounds', '0'],
    ['--rounds', 'x'],
    ['--nonsense'],
    ['--busy', '-1'],
    ['--busy=x'],
    ['--json', '/no/such/folder/x.json'],
    ['--json', '/tmp'],
  ])
    assert.throws(() => parseOptions(args), UserError, args.join(' '));
  assert.throws(() => select(['no_such_case']), /no case.*no_such_case/);
  assert.throws(
    () => checkRunners(['vedette', 'gvisr']),
    /--only gvisr: no such runner; there are native, vedette-/,
  );
  checkRunners(['vedette', 'runsc-kvm', 'native']);
});

test('names are cases, groups and sections', () => {
  const cases = (names: string[]) => {
    const { units, wanted } = select(names);
    return units.flatMap((unit) => unit.cases.filter(wanted));
  };
  assert.deepEqual(cases(['stat', 'git_log']), ['stat', 'git_log']);
  assert.deepEqual(cases(['sqlite']), ['sqlite_bulk', 'sqlite_txns']);
  assert.ok(cases(['python']).every((name) => name.startsWith('py_')));
  assert.deepEqual(cases(['memory']), []);
  assert.equal(select(['memory']).memory, true);
  assert.equal(select(['memory']).startup, false);
  assert.deepEqual(cases(['mappings']), ['mmap_munmap', 'touch_8m', 'map_file']);
  const all = cases([]);
  assert.equal(new Set(all).size, all.length);
});
