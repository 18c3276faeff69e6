// The text that a run ends with: tables, failures, targets.

import type { Floors } from './floors.ts';
import type { Machine } from './machine.ts';
import type { MemoryRow } from './memory.ts';
import type { Results } from './results.ts';
import type { Absent, Runner } from './runners.ts';
import type { Startup } from './startup.ts';
import { geometricMean, median } from './stats.ts';
import { mebibytes, ratio, table, time } from './table.ts';
import { againstPeers, TIE, type Verdict } from './targets.ts';

export function describe(machine: Machine, busy: readonly number[], busyLoops: number): string {
  const { cpu, cpus, memoryMib, kernel, node, vedette, runsc, date } = machine;
  const shares = busy.map((share) => `${Math.round(share * 100)}%`).join(' ') || '-';
  const peer = runsc === '' ? 'no runsc' : runsc;
  return (
    `${date}: ${cpus} cpus (${cpu}), ${memoryMib} MiB, Linux ${kernel}, Node.js ${node}, ` +
    `Vedette ${vedette || 'unknown'}, ${peer}; ` +
    (busyLoops > 0 ? `${busyLoops} BUSY LOOPS beside everything, they count as others; ` : '') +
    `cpus used by others, by pass: ${shares}`
  );
}

/** The kind of host: what decides whether calls, switches and hand-overs are cheap. */
export function hostText(machine: Machine, floors: Floors): string {
  const kind = [
    machine.virtual ? 'virtual machine' : 'no hypervisor seen',
    { true: 'fsgsbase', false: 'no fsgsbase', undefined: 'fsgsbase unknown' }[`${floors.fsgsbase}`],
    `clock source ${machine.clockSource}`,
    `page-table isolation ${machine.pageTableIsolation}`,
  ];
  const steps = floors.list().map(([name, ns]) => `${name} ${time(ns)}`);
  return `Host: ${kind.join(', ')}\nFloors, in C: ${steps.join('; ') || 'not measured'}`;
}

/** One row per case: the floor, native, each runner with its ratio to native, then ours over the fastest runsc. */
export function caseTable(
  results: Results,
  cases: readonly string[],
  runners: readonly Runner[],
  floors: Floors,
): string {
  const others = runners.filter((r) => r.kind !== 'native');
  const ours = runners.filter((r) => r.kind === 'vedette');
  const peers = runners.filter((r) => r.kind === 'runsc');
  const compared = peers.length > 0 ? ours : [];
  const short = (r: Runner) => r.name.replace('vedette-', '');
  const header = [
    'case',
    'floor',
    'native',
    ...others.flatMap((r) => [r.name, 'ratio']),
    ...compared.map((r) => `${short(r)}/runsc`),
  ];
  const rows = cases.map((name) => [
    name,
    floorCell(floors.ofRow(name)),
    cell(results, name, 'native'),
    ...others.flatMap((r) => {
      const multiple = results.ratio(name, r.name, 'native');
      return [cell(results, name, r.name), multiple === undefined ? '-' : ratio(multiple)];
    }),
    ...compared.map((r) => comparison(againstPeers(results, name, r, peers))),
  ]);
  return table([header, ...rows]);
}

function floorCell(ns: number | undefined): string {
  return ns === undefined ? '-' : time(ns);
}

function cell(results: Results, name: string, runner: string): string {
  const figure = results.figure(name, runner);
  if (figure !== undefined) return time(figure.value);
  const found = results.find(name, runner);
  if (found?.failed !== undefined) return 'failed';
  return found?.skipped !== undefined ? 'skipped' : '-';
}

/** A row in which ours is slower is marked, so that it is not overlooked. */
function comparison(value: number | undefined): string {
  if (value === undefined) return '-';
  return value > TIE ? `SLOWER ${ratio(value)}` : ratio(value);
}

/** The mean of ratios of the small Python programs, which is how such sets are summed up. */
export function pythonSummary(results: Results, runners: readonly Runner[]): string[] {
  const cases = results.cases.filter((name) => name.startsWith('py_'));
  return runners.flatMap((runner) => {
    const ratios = cases.flatMap((name) => results.ratio(name, runner.name, 'native') ?? []);
    if (runner.kind === 'native' || ratios.length === 0) return [];
    return [
      `Python programs, ${runner.name}: geometric mean of ${ratios.length} ratios ${ratio(geometricMean(ratios))}`,
    ];
  });
}

export function startupText({ rows, steps }: Startup): string {
  const lines = rows.map(({ name, samples, failed }) =>
    samples.length === 0
      ? [name, 'failed', failed ?? '']
      : [name, time(median(samples)), time(Math.min(...samples))],
  );
  const parts = [`Start-up, from start to exit\n${table([['command', 'median', 'min'], ...lines])}`];
  for (const [runner, list] of Object.entries(steps)) {
    const text = list.map(({ step, tookMs, endMs }) => [
      step,
      ...[tookMs, endMs].map((ms) => `${ms.toFixed(1)} ms`),
    ]);
    parts.push(`Start-up steps of ${runner}\n${table([['step', 'took', 'ended'], ...text])}`);
  }
  if (Object.keys(steps).length === 0)
    parts.push('Start-up steps: this build does not write VEDETTE_STARTUP_TIMES.');
  return parts.join('\n\n');
}

export function memoryText(rows: readonly MemoryRow[]): string {
  const lines = rows.map(({ name, pssKib, processes, failed }) =>
    failed === undefined ? [name, mebibytes(median(pssKib)), String(processes)] : [name, 'failed', failed],
  );
  return `Memory of a sandbox that runs sleep, ${rows[0]?.pssKib.length ?? 0} at a time\n${table([['runner', 'PSS', 'processes'], ...lines])}`;
}

/** Every failure and what was skipped, with the reason; equal reasons of one runner share a line. */
export function troubles(results: Results, absent: readonly Absent[], runners: readonly Runner[]): string {
  const lines = absent.map(({ name, reason }) => `${name}: left out: ${reason}`);
  for (const { name: runner } of runners) {
    const byReason = new Map<string, string[]>();
    for (const name of results.cases) {
      const { failed, skipped } = results.find(name, runner) ?? {};
      const reason = failed === undefined ? skipped && `skipped: ${skipped}` : `failed: ${failed}`;
      if (reason !== undefined) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
    }
    for (const [reasons, names] of retries(results, runner))
      lines.push(`${runner} ${names.join(' ')}: tried again after: ${reasons}`);
    for (const [reason, names] of byReason) lines.push(`${runner} ${names.join(' ')}: ${reason}`);
  }
  return lines.join('\n');
}

function retries(results: Results, runner: string): Map<string, string[]> {
  const byReasons = new Map<string, string[]>();
  for (const name of results.cases) {
    const reasons = results.find(name, runner)?.retried?.join(' | ');
    if (reasons !== undefined) byReasons.set(reasons, [...(byReasons.get(reasons) ?? []), name]);
  }
  return byReasons;
}

export function verdictText(verdicts: readonly Verdict[]): string {
  const words = { true: 'met', false: 'MISSED', unknown: 'unknown', shown: '-' };
  const rows = verdicts.map((v) => [v.name, v.runner, words[`${v.met}`], v.target, v.figure]);
  const notes = verdicts.flatMap(({ note }) => note ?? []);
  return ['Targets', table([['case', 'runner', 'verdict', 'target', 'figure'], ...rows]), ...notes].join(
    '\n',
  );
}
