import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Floors } from './floors.ts';
import { caseTable, troubles } from './report.ts';
import { Results } from './results.ts';
import { native, type Runner, vedette } from './runners.ts';
import { againstPeers, judge } from './targets.ts';

const ours = vedette('systrap');
const peers: Runner[] = ['runsc-ptrace', 'runsc-kvm'].map((name) => ({ ...native, name, kind: 'runsc' }));

function floors(output: string): Floors {
  const known = new Floors();
  known.add(output);
  return known;
}

function sample(): Results {
  const results = new Results(false);
  results.add('stat', 'native', [1, 2, 300]);
  results.add('stat', 'native', [4, 4, 4]);
  results.add('stat', ours.name, [12]);
  results.add('stat', 'runsc-ptrace', [24]);
  results.add('stat', 'runsc-kvm', [8]);
  results.fail('git_log', 'native', 'exit status 1');
  results.skip('redis_get', 'native', 'needs redis-server');
  results.skip('redis_set', 'native', 'needs redis-server');
  return results;
}

test('a figure is the median over passes of their medians', () => {
  assert.deepEqual(sample().figure('stat', 'native'), { median: 3, min: 1, value: 3 });
  assert.equal(sample().figure('git_log', 'native'), undefined);
  assert.equal(sample().ratio('stat', ours.name, 'native'), 4);
  assert.equal(sample().ratio('git_log', ours.name, 'native'), undefined);
});

test('best figures are minima', () => {
  const results = new Results(true);
  results.add('stat', 'native', [3, 1, 2]);
  assert.equal(results.figure('stat', 'native')?.value, 1);
});

test('ours is compared with the fastest peer, and marked when slower', () => {
  const results = sample();
  assert.equal(againstPeers(results, 'stat', ours, peers), 1.5);
  assert.equal(againstPeers(results, 'git_log', ours, peers), undefined);
  const text = caseTable(results, results.cases, [native, ours, ...peers], floors('handover 5.0'));
  assert.match(text, /^stat +5 ns +3 ns .* SLOWER 1\.50x$/m);
  assert.match(text, /^git_log +- +failed/m);
  assert.match(text, /^redis_get +- +skipped/m);
});

test('targets are judged where there are figures', () => {
  const verdicts = judge(sample(), ours, peers, floors(''));
  assert.deepEqual(
    verdicts.map(({ name, met }) => [name, met]),
    [
      ['stat', true],
      ['single-threaded, against runsc', false],
      ['faster than runsc', false],
    ],
  );
  assert.match(verdicts[2]!.note ?? '', /stat 1\.50x/);
  const unknown = new Results(false);
  unknown.fail('c_build', ours.name, 'no');
  assert.equal(judge(unknown, ours, [], floors(''))[0]?.met, 'unknown');
});

test('floors are medians, and each row has those of its steps', () => {
  const known = floors('fsgsbase 1.0\nhandover 80.0\nsigsys 2000\n');
  known.add('fsgsbase 1.0\nhandover 100.0\n');
  known.add('fsgsbase 1.0\nhandover 400.0\n');
  assert.equal(known.fsgsbase, true);
  assert.equal(floors('').fsgsbase, undefined);
  assert.equal(known.ofRow('null_call'), 100);
  assert.equal(known.ofRow('pread_4k'), 100);
  assert.equal(known.ofRow('open_close'), 200);
  assert.equal(known.ofRow('null_call_trapped'), 2000);
  assert.equal(known.ofRow('pipe_pingpong'), undefined);
  assert.equal(known.ofRow('c_build'), undefined);
  assert.deepEqual(known.list()[1], ['hand-over and back, both cpus spinning', 100]);
  assert.deepEqual(JSON.parse(JSON.stringify(known)).handover, { median: 100, values: [80, 100, 400] });
});

test('targets over floors: judged without fsgsbase, shown with it, and none beside busy loops', () => {
  const results = new Results(false);
  const nofs = vedette('systrap-nofs');
  for (const [name, ns] of [
    ['native', 1100],
    [ours.name, 120],
    [nofs.name, 150],
  ] as const)
    results.add('null_call', name, [ns]);
  const verdicts = (runner: Runner, fsgsbase: number, busy = 0) =>
    judge(results, runner, [], floors(`handover 100\nfsgsbase ${fsgsbase}\n`), busy).map((v) => [
      v.target,
      v.figure,
      v.met,
    ]);
  const always = [
    ['<= 700 ns', '120 ns', true],
    ['<= 1.00x of native', '0.11x', true],
  ];
  assert.deepEqual(verdicts(ours, 1), [always[0], ['no limit of handover', '1.20x', 'shown'], always[1]]);
  assert.deepEqual(verdicts(ours, 0), [always[0], ['<= 1.30x of handover', '1.20x', true], always[1]]);
  assert.deepEqual(verdicts(nofs, 1)[1], ['<= 1.30x of handover', '1.50x', false]);
  assert.deepEqual(verdicts(ours, 0, 2), []);
  const cheap = new Results(false);
  cheap.add('null_call', 'native', [100]);
  cheap.add('null_call', ours.name, [120]);
  assert.equal(judge(cheap, ours, [], floors('handover 100\nfsgsbase 1')).length, 2);
});

test('attempts that failed are told, also when a later one gave figures', () => {
  const results = sample();
  results.retried('stat', 'native', ['broken pipe', 'again']);
  assert.match(troubles(results, [], [native]), /^native stat: tried again after: broken pipe \| again$/m);
  assert.deepEqual(JSON.parse(JSON.stringify(results)).stat.native.retried, ['broken pipe', 'again']);
});

test('no failure and no skipped case is left out', () => {
  const text = troubles(sample(), [{ name: 'runsc-systrap', reason: 'unknown' }], [native]);
  assert.deepEqual(text.split('\n'), [
    'runsc-systrap: left out: unknown',
    'native git_log: failed: exit status 1',
    'native redis_get redis_set: skipped: needs redis-server',
  ]);
});

test('raw figures go to JSON by case and runner', () => {
  const json = JSON.parse(JSON.stringify(sample()));
  assert.deepEqual(json.stat.native, {
    median: 3,
    min: 1,
    passes: [
      [1, 2, 300],
      [4, 4, 4],
    ],
  });
  assert.equal(json.git_log.native.failed, 'exit status 1');
});
