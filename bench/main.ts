// `npm run bench`: see README.md.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeCSources } from './c_sources.ts';
import { type Child, killAll, run, start as startProgram } from './children.ts';
import { Floors, measureFloors } from './floors.ts';
import { describeMachine } from './machine.ts';
import { measureMemory } from './memory.ts';
import { HELP, type Options, parseOptions, UserError } from './options.ts';
import { runPasses } from './passes.ts';
import { compilePrograms } from './programs.ts';
import {
  caseTable,
  describe,
  hostText,
  memoryText,
  pythonSummary,
  startupText,
  troubles,
  verdictText,
} from './report.ts';
import { Results } from './results.ts';
import { checkRunners, findRunners } from './runners.ts';
import { listText, select } from './selection.ts';
import { measureStartup } from './startup.ts';
import { parseFigures } from './stats.ts';
import { time } from './table.ts';
import { judge } from './targets.ts';

/** The repository: the nearest folder above that holds our C files; with a build elsewhere, where npm runs us. */
function findRoot(folder: string): string {
  if (existsSync(join(folder, 'bench/micro'))) return folder;
  return folder === '/' ? process.cwd() : findRoot(dirname(folder));
}

const status = process.stderr.isTTY
  ? (text: string) => process.stderr.write(`\r\x1b[K${text}`)
  : (text: string) => process.stderr.write(`${text}\n`);

async function main(options: Options, scratch: string): Promise<void> {
  // Before anything takes time: what is misspelt is said at once.
  const selection = select(options.names);
  checkRunners(options.only);
  const root = findRoot(dirname(fileURLToPath(import.meta.url)));
  const machine = await describeMachine(root);
  status('compiling, looking for runners');
  const programs = await compilePrograms(root, scratch);
  writeCSources(join(scratch, 'c_sources'));
  const floors = new Floors();
  status('floors of this host');
  await measureFloors(programs.floors, floors);
  const { runners, absent } = await findRunners(options.only, scratch, floors.fsgsbase);
  const context = { root, scratch, programs, quick: options.quick };
  const results = new Results(options.best);
  const { units, wanted } = selection;
  const loops = startLoops(programs.micro, options.busy);
  // Once more after each pass, but never beside the loops: what the host asks, not what is left of it.
  const afterPass = async () => {
    if (options.busy === 0) await measureFloors(programs.floors, floors);
  };
  const busy = await runPasses(units, runners, context, options.rounds, wanted, results, status, afterPass);
  const startup = selection.startup ? await measureStartup(runners, context, status) : undefined;
  const memory = selection.memory ? await measureMemory(runners, status) : undefined;
  await endLoops(loops);
  const floor = await ptraceFloor(programs.ptraceFloor);
  if (process.stderr.isTTY) status('');

  const ours = runners.filter((r) => r.kind === 'vedette');
  const peers = runners.filter((r) => r.kind === 'runsc');
  const verdicts = ours.flatMap((runner) => judge(results, runner, peers, floors, options.busy));
  const parts = [
    describe(machine, busy, options.busy),
    hostText(machine, floors),
    results.cases.length > 0 && caseTable(results, results.cases, runners, floors),
    pythonSummary(results, runners).join('\n'),
    `A stop under ptrace in C, the floor of that platform: ${time(floor.bare)} bare, ${time(floor.registers)} with registers`,
    startup && startupText(startup),
    memory && memoryText(memory),
    troubles(results, absent, runners),
    verdicts.length > 0 && verdictText(verdicts),
  ];
  console.log(parts.filter(Boolean).join('\n\n'));
  if (options.json !== undefined) {
    const raw = {
      machine,
      floors,
      busy,
      busyLoops: options.busy,
      options,
      absent,
      results,
      startup,
      memory,
      ptraceFloor: floor,
      targets: verdicts,
    };
    writeFileSync(options.json, `${JSON.stringify(raw, null, 2)}\n`);
  }
}

const LOOPS_MS = 24 * 3600_000;

/** Programs that do nothing but keep a cpu busy, on whichever cpu the host puts them. They end with us. */
function startLoops(program: string, count: number): Child[] {
  return Array.from({ length: count }, () => startProgram([program, '--spin'], LOOPS_MS));
}

/** A loop that was not running all the time makes the run's heading false. */
async function endLoops(loops: readonly Child[]): Promise<void> {
  let early = 0;
  for (const loop of loops) {
    if (loop.pid === undefined || !existsSync(`/proc/${loop.pid}`)) early++;
    loop.kill();
    await loop.done;
  }
  if (early > 0) throw new Error(`${early} of ${loops.length} busy loops ended by themselves`);
}

/** What a stop under ptrace costs on this host at the least, in ns: no tracer can be faster. */
async function ptraceFloor(program: string): Promise<{ bare: number; registers: number }> {
  const figures = parseFigures((await run([program], 30_000)).stdout);
  return {
    bare: figures.get('bare')?.[0] ?? Number.NaN,
    registers: figures.get('registers')?.[0] ?? Number.NaN,
  };
}

async function start(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return void process.stdout.write(HELP);
  if (options.list) return console.log(listText());
  const scratch = mkdtempSync(join(tmpdir(), 'vedette-bench-'));
  const clean = () => {
    killAll();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const)
    process.on(signal, () => {
      clean();
      process.exit(128 + number);
    });
  try {
    await main(options, scratch);
  } finally {
    clean();
  }
}

try {
  await start();
} catch (error) {
  console.error(error instanceof UserError ? `bench: ${error.message}` : error);
  process.exitCode = error instanceof UserError ? 2 : 1;
}
