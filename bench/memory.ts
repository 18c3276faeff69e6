// Memory per sandbox: the proportional set size (PSS in proc(5): shared pages are divided among those that map them)
// of all processes of a sandbox that runs `sleep`, while several such sandboxes exist.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Child, processTree } from './children.ts';
import { type Runner, startIn } from './runners.ts';
import { median } from './stats.ts';

export interface MemoryRow {
  readonly name: string;
  /** KiB of each sandbox. */
  readonly pssKib: number[];
  /** Processes of one sandbox. */
  readonly processes: number;
  readonly failed?: string;
}

const SANDBOXES = 3;
const START_MS = 15_000;
/** Garbage of the start is collected, and lazily started helpers are there, by then. */
const SETTLE_MS = 1500;
const PROGRAM = ['/bin/sh', '-c', 'echo ready; exec sleep 60'];

export async function measureMemory(
  runners: readonly Runner[],
  progress: (text: string) => void,
): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  for (const runner of runners) {
    progress(`memory: ${runner.name}`);
    rows.push(await measureRunner(runner));
  }
  return rows;
}

async function measureRunner(runner: Runner): Promise<MemoryRow> {
  const sandboxes: Child[] = [];
  try {
    for (let i = 0; i < SANDBOXES; i++) {
      const { sandbox, reason } = await startSleeper(runner);
      if (sandbox === undefined) return { name: runner.name, pssKib: [], processes: 0, failed: reason };
      sandboxes.push(sandbox);
    }
    await delay(SETTLE_MS);
    const trees = sandboxes.map((sandbox) => processTree(sandbox.pid!));
    const pssKib = trees.map((tree) => tree.reduce((sum, pid) => sum + pssOf(pid), 0));
    return { name: runner.name, pssKib, processes: median(trees.map((tree) => tree.length)) };
  } finally {
    for (const sandbox of sandboxes) sandbox.kill();
    await Promise.all(sandboxes.map((sandbox) => sandbox.done));
  }
}

async function startSleeper(runner: Runner): Promise<{ sandbox?: Child; reason: string }> {
  for (let i = 1; ; i++) {
    const sandbox = startIn(runner, PROGRAM, START_MS);
    if (await sandbox.printed('ready\n')) return { sandbox, reason: '' };
    const { reason } = await sandbox.done;
    if (i >= runner.attempts) return { reason };
  }
}

function pssOf(pid: number): number {
  try {
    return parsePss(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
  } catch {
    return 0; // It ended meanwhile.
  }
}

/** KiB in the line "Pss:" of smaps_rollup. */
export function parsePss(rollup: string): number {
  return Number(rollup.match(/^Pss:\s+(\d+) kB$/m)?.[1] ?? 0);
}
