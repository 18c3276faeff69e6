import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caseTable, troubles } from './report.ts';
import { Results } from './results.ts';
import { native, type Runner, vedette } from './runners.ts';
import { againstPeers, judge } from './targets.ts';

const ours = vedette('systrap');
const peers: Runner[] = ['runsc-ptrace', 'runsc-kvm'].map((name) => ({ ...native, name, kind: 'runsc' }));

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
  const text = caseTable(results, results.cases, [native, ours, ...peers]);
  assert.match(text, /^stat .* SLOWER 1\.50x$/m);
  assert.match(text, /^git_log +failed/m);
  assert.match(text, /^redis_get +skipped/m);
});

test('targets are judged where there are figures', () => {
  const verdicts = judge(sample(), ours, peers);
  assert.deepEqual(
    verdicts.map(({ name, met }) => [name, met]),
    [
      ['stat', true],
      ['faster than runsc', false],
    ],
  );
  assert.match(verdicts[1]!.note ?? '', /stat 1\.50x/);
  const unknown = new Results(false);
  unknown.fail('c_build', ours.name, 'no');
  assert.equal(judge(unknown, ours, [])[0]?.met, 'unknown');
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
