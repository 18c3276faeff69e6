// Runs units: complete passes, in which each unit goes through all runners before the next, so that a machine that
// becomes slower or busier does so for all of them.

import { busyShare } from './machine.ts';
import type { Results } from './results.ts';
import { type Runner, runIn } from './runners.ts';
import { parseFigures } from './stats.ts';
import { type Context, lacking, type Unit } from './units.ts';

const TIMEOUT_MS = 60_000;

/** Returns for each pass how busy others kept the machine, which is looked at before each unit. */
export async function runPasses(
  units: readonly Unit[],
  runners: readonly Runner[],
  context: Context,
  rounds: number,
  wanted: (caseName: string) => boolean,
  results: Results,
  progress: (text: string) => void,
  afterPass: () => Promise<void>,
): Promise<number[]> {
  const failed = new Set<string>();
  const busy: number[] = [];
  for (let pass = 1; pass <= rounds; pass++) {
    let sum = 0;
    for (const unit of units) {
      sum += await busyShare();
      const cases = unit.cases.filter(wanted);
      const need = lacking(unit);
      const turns = need === undefined && !context.quick ? (unit.turns ?? 1) : 1;
      for (const runner of Array<readonly Runner[]>(turns).fill(runners).flat()) {
        if (need !== undefined) {
          for (const name of cases) results.skip(name, runner.name, `needs ${need}`);
          continue;
        }
        const key = `${unit.name} ${runner.name}`;
        if (failed.has(key)) continue;
        progress(`pass ${pass}/${rounds}: ${key}`);
        if (!(await runUnit(unit, cases, runner, context, results))) failed.add(key);
      }
    }
    busy.push(units.length > 0 ? sum / units.length : 0);
    await afterPass();
  }
  return busy;
}

/** False when the unit did not end well: its cases without figures say why, and it is not run again. */
async function runUnit(
  unit: Unit,
  cases: readonly string[],
  runner: Runner,
  context: Context,
  results: Results,
): Promise<boolean> {
  const finished = await runIn(runner, unit.command(context, cases), TIMEOUT_MS);
  const figures = parseFigures(finished.stdout);
  for (const name of cases) {
    if (finished.failures.length > 0) results.retried(name, runner.name, finished.failures);
    const samples = figures.get(name);
    if (samples !== undefined) results.add(name, runner.name, samples);
    else results.fail(name, runner.name, finished.reason || 'printed no figure');
  }
  return finished.status === 0;
}
