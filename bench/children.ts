// The programs that a benchmark starts: waited for, limited in time, and ended with all that they started.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Finished {
  /** Exit status; null when a signal or the time limit ended the program, or when it never started. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What went wrong in one line, '' after success. */
  readonly reason: string;
  readonly timedOut: boolean;
}

export interface Child {
  readonly pid: number | undefined;
  readonly done: Promise<Finished>;
  /** Resolves with true when stdout contains `text`, with false when the program ended without it. */
  printed(text: string): Promise<boolean>;
  kill(): void;
}

const running = new Set<Child>();

/** Starts argv with nothing to read. stdout and stderr are pipes: some versions of runsc do not run with anything else. */
export function start(argv: readonly string[], timeoutMs: number, env: NodeJS.ProcessEnv = {}): Child {
  const child = spawn(argv[0]!, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    // A process group of its own: Ctrl-C reaches only us, and we end the children in order.
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  let timedOut = false;
  child.stdout.setEncoding('latin1').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('latin1').on('data', (text) => (stderr += text));
  const kill = () => killTree(child.pid);
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  const done = new Promise<Finished>((resolve) => {
    const finish = (status: number | null, reason: string) => {
      clearTimeout(timer);
      running.delete(self);
      resolve({ status, stdout, stderr, reason, timedOut });
    };
    child.on('error', (error) => finish(null, error.message));
    child.on('close', (status, signal) => {
      if (timedOut) finish(null, `not finished after ${timeoutMs / 1000} s`);
      else finish(status, status === 0 ? '' : lastLine(stderr) || `ended by ${signal ?? `status ${status}`}`);
    });
  });
  const printed = async (text: string) => {
    const seen = new Promise<boolean>((resolve) => {
      child.stdout.on('data', () => stdout.includes(text) && resolve(true));
    });
    return (await Promise.race([seen, done.then(() => stdout.includes(text))])) === true;
  };
  const self: Child = { pid: child.pid, done, printed, kill };
  running.add(self);
  return self;
}

export function run(
  argv: readonly string[],
  timeoutMs: number,
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  return start(argv, timeoutMs, env).done;
}

/** Ends every program that still runs. */
export function killAll(): void {
  for (const child of running) child.kill();
}

/** The process `pid` and all that descend from it; those whose parent ended are not found. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

function parentOf(pid: number): number {
  try {
    // The name, in parentheses, may hold spaces.
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return 0; // It ended meanwhile.
  }
}

function killTree(pid: number | undefined): void {
  if (pid === undefined) return;
  // A sandbox may start sessions of its own, so the process group alone does not reach everything.
  for (const member of [-pid, ...processTree(pid)]) {
    try {
      process.kill(member, 'SIGKILL');
    } catch {
      // Ended already.
    }
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.trim();
}
