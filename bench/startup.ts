// Start-up: how long an empty program takes from its start to its end, and which steps of ours that time goes to.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './children.ts';
import { type Runner, vedette } from './runners.ts';
import { median, parseFigures } from './stats.ts';
import type { Context } from './units.ts';

export interface StartRow {
  readonly name: string;
  readonly samples: number[];
  failed?: string;
}

export interface Step {
  readonly step: string;
  readonly tookMs: number;
  readonly endMs: number;
}

export interface Startup {
  readonly rows: StartRow[];
  /** By runner: the steps of `vedette do` in the order of their first appearance. */
  readonly steps: Record<string, Step[]>;
}

const ROUNDS = 2;
const RUNS_PER_ROUND = 5;
const STEP_RUNS = 5;
const TIMEOUT_MS = 30_000;

export async function measureStartup(
  runners: readonly Runner[],
  context: Context,
  progress: (text: string) => void,
): Promise<Startup> {
  const empty = ['/bin/true'];
  const commands: { name: string; argv: string[]; env: NodeJS.ProcessEnv }[] = [];
  const add = (name: string, argv: string[], env = {}) => commands.push({ name, argv, env });
  const ours = runners.filter((r) => r.kind === 'vedette');
  add('true', empty);
  add(`node -e 0 (${process.version})`, [process.execPath, '-e', '0']);
  for (const r of runners) if (r.kind !== 'native') add(`${r.name} true`, r.argv(empty), r.env);
  const newer = process.env.NODE_NEW;
  if (newer !== undefined) {
    const version = (await run([newer, '--version'], TIMEOUT_MS)).stdout.trim();
    add(`node -e 0 (${version}, NODE_NEW)`, [newer, '-e', '0']);
    for (const r of ours) {
      const there = vedette(r.name.replace('vedette-', ''), newer);
      add(`${r.name} true (${version}, NODE_NEW)`, there.argv(empty), there.env);
    }
  }

  const rows: StartRow[] = commands.map(({ name }) => ({ name, samples: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { name, argv, env }] of commands.entries()) {
      const row = rows[i]!;
      if (row.failed !== undefined) continue;
      progress(`start-up ${round + 1}/${ROUNDS}: ${name}`);
      const repeat = [context.programs.repeat, 'start', String(RUNS_PER_ROUND), ...argv];
      const finished = await run(repeat, TIMEOUT_MS, env);
      row.samples.push(...(parseFigures(finished.stdout).get('start') ?? []));
      if (finished.status !== 0) row.failed = finished.reason;
    }
  }
  const steps: Startup['steps'] = {};
  for (const runner of ours) {
    progress(`start-up steps: ${runner.name}`);
    const found = await measureSteps(runner, context);
    if (found.length > 0) steps[runner.name] = found;
  }
  return { rows, steps };
}

/** Asks `vedette do` for its own clock; a build that knows no VEDETTE_STARTUP_TIMES gives no steps. */
async function measureSteps(runner: Runner, context: Context): Promise<Step[]> {
  const file = join(context.scratch, 'startup.jsonl');
  const runs: string[] = [];
  for (let i = 0; i < STEP_RUNS; i++) {
    rmSync(file, { force: true });
    await run(runner.argv(['/bin/true']), TIMEOUT_MS, { ...runner.env, VEDETTE_STARTUP_TIMES: file });
    if (!existsSync(file)) return [];
    runs.push(readFileSync(file, 'utf8'));
  }
  return medianSteps(runs);
}

/** Medians over runs; each run is lines of {"step": string, "ms": number}: when a step ended, from the process's start. */
export function medianSteps(runs: readonly string[]): Step[] {
  const times = new Map<string, { took: number[]; end: number[] }>();
  for (const text of runs) {
    let before = 0;
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      const { step, ms } = JSON.parse(line) as { step: string; ms: number };
      let known = times.get(step);
      if (known === undefined) times.set(step, (known = { took: [], end: [] }));
      known.took.push(ms - before);
      known.end.push(ms);
      before = ms;
    }
  }
  return [...times].map(([step, { took, end }]) => ({ step, tookMs: median(took), endMs: median(end) }));
}
