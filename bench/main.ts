// `npm run bench`: see README.md.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Runner, runners } from './runners.ts';
import { workloads } from './workloads.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, only: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
if (values.help) {
  console.log('usage: npm run bench -- [--only NAME] [--json FILE] [CASE ...]');
  process.exit(0);
}

/** Nanoseconds per operation by case, or the reason of a failure under the key "error". */
type Figures = Record<string, number | string>;

const scratch = mkdtempSync(join(tmpdir(), 'vedette-bench-'));

function compile(name: string): string {
  const program = join(scratch, name);
  const cc = spawnSync('cc', ['-O2', '-pthread', '-o', program, `bench/${name}.c`], { encoding: 'utf8' });
  if (cc.status !== 0) throw new Error(`cc failed: ${cc.stderr}`);
  return program;
}

const micro = compile('micro');

/** What a stop under ptrace costs on this host at the least: no tracer can be faster. */
function ptraceFloor(): string {
  const r = spawnSync(compile('ptrace_floor'), { encoding: 'utf8', timeout: 60_000 });
  const ns = (name: string) =>
    Number(r.stdout.match(new RegExp(`^${name} ([\\d.]+)$`, 'm'))?.[1] ?? Number.NaN);
  return `a ptrace stop in C, pinned: ${show(ns('bare'))} bare, ${show(ns('registers'))} with registers read and set`;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

function runMicro(runner: Runner): Figures {
  const r = runner.run([micro, ...positionals.filter((p) => !workloads.some((w) => w.name === p))], 300_000);
  const figures: Figures = {};
  for (const [, name, ns] of r.stdout.matchAll(/^(\w+) ([\d.]+)$/gm)) figures[name!] = Number(ns);
  if (r.status !== 0)
    figures.error = (r.stderr || r.error?.message || `status ${r.status}`).trim().split('\n').at(-1)!;
  return figures;
}

function runWorkloads(runner: Runner, figures: Figures): void {
  for (const w of workloads) {
    if (positionals.length > 0 && !positionals.includes(w.name)) continue;
    if (w.needs.some((n) => spawnSync('sh', ['-c', `command -v ${n}`]).status !== 0)) continue;
    const script = `W=$(mktemp -d /tmp/vedette-work-XXXXXX); cd $W || exit 1; ${w.script}; cd /; rm -rf $W`;
    const r = runner.run(['/bin/sh', '-c', script], 300_000);
    const times = [...r.stdout.matchAll(/^ns (\d+)$/gm)].map((m) => Number(m[1]));
    if (r.status === 0 && times.length > 0) figures[w.name] = median(times);
    else figures[w.name] = (r.stderr || r.error?.message || `status ${r.status}`).trim().split('\n').at(-1)!;
  }
}

const results: Record<string, Figures> = {};
let floor = '';
try {
  floor = ptraceFloor();
  for (const runner of runners(values.only)) {
    process.stderr.write(`${runner.name} ...\n`);
    const figures =
      positionals.some((p) => !workloads.some((w) => w.name === p)) || positionals.length === 0
        ? runMicro(runner)
        : {};
    runWorkloads(runner, figures);
    results[runner.name] = figures;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function show(ns: number | string | undefined): string {
  if (ns === undefined) return '-';
  if (typeof ns === 'string') return 'failed';
  if (ns < 1000) return `${ns.toFixed(0)} ns`;
  return ns < 1e6 ? `${(ns / 1000).toFixed(2)} us` : `${(ns / 1e6).toFixed(2)} ms`;
}

const names = Object.keys(results);
const native = results.native!;
const header = ['case', ...names.flatMap((n) => (n === 'native' ? [n] : [n, 'ratio']))];
const rows = Object.keys(native).map((c) => [
  c,
  ...names.flatMap((n) => {
    const v = results[n]![c];
    if (n === 'native') return [show(v)];
    const base = native[c];
    const ratio = typeof v === 'number' && typeof base === 'number' ? `${(v / base).toFixed(2)}x` : '-';
    return [show(v), ratio];
  }),
]);
const widths = header.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i]!.length)));
for (const r of [header, ...rows])
  console.log(r.map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!))).join('  '));
console.log(floor);
for (const n of names) {
  for (const [c, v] of Object.entries(results[n]!))
    if (typeof v === 'string') console.log(`${n} ${c}: failed: ${v}`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
