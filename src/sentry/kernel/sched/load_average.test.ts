import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kernel } from '../kernel.ts';
import { TASK_BLOCKED, TASK_RUNNING } from '../states.ts';
import { LoadAverage } from './load_average.ts';

function fixture() {
  const tasks = [{ state: TASK_RUNNING }, { state: TASK_RUNNING }, { state: TASK_BLOCKED }];
  const kernel = { time: { monotonicNs: () => 0 }, pids: { tasks: () => tasks } };
  const load = new LoadAverage(kernel as unknown as Kernel);
  load.start();
  return load;
}

const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a}, not ${b}`);

test('samples every five seconds', () => {
  const load = fixture();
  load.beat(4.9e9);
  assert.deepEqual(load.averages, [0, 0, 0]);
  load.beat(5.1e9);
  load.beat(6.1e9);
  near(load.averages[0]!, 2 * (1 - Math.exp(-5 / 60)));
  for (let s = 7; s < 1200; s++) load.beat(s * 1e9);
  near(Math.round(load.averages[0]!), 2);
});

test('a rest counts as samples that found nobody', () => {
  const load = fixture();
  load.beat(5e9);
  const [one, , fifteen] = load.averages;
  // Samples were due at 10, 15, ... 65 s.
  load.rested(66e9);
  near(load.averages[0]!, one! * Math.exp(-60 / 60));
  near(load.averages[2]!, fifteen! * Math.exp(-60 / 900));
  load.rested(69.9e9);
  near(load.averages[0]!, one! * Math.exp(-1));
  load.beat(70e9);
  near(load.averages[0]!, one! * Math.exp(-65 / 60) + 2 * (1 - Math.exp(-5 / 60)));
});
