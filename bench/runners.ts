// The ways to run one command line: natively, inside Vedette on each platform, under runsc on each platform.

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, type Finished, run, start } from './children.ts';
import { UserError } from './options.ts';

export interface Runner {
  readonly name: string;
  readonly kind: 'native' | 'vedette' | 'runsc';
  /** The command line of the host that runs `command`. */
  argv(command: readonly string[]): string[];
  readonly env: NodeJS.ProcessEnv;
  /** How often a run that fails is tried before the failure counts. */
  readonly attempts: number;
}

/** A runner that is not there, or does not work here. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}

const VEDETTE = fileURLToPath(new URL('../vedette.cjs', import.meta.url));
export const PLATFORMS = ['systrap', 'ptrace'];
const RUNSC_PLATFORMS = ['systrap', 'ptrace', 'kvm'];
const PROBE_MS = 5_000;

export const native: Runner = {
  name: 'native',
  kind: 'native',
  argv: (command) => [...command],
  env: {},
  attempts: 1,
};

export function vedette(platform: string, node = process.execPath): Runner {
  return {
    name: `vedette-${platform}`,
    kind: 'vedette',
    // As it is installed: its first lines find `node` in the PATH and choose flags for it.
    argv: (command) => [VEDETTE, 'do', `--platform=${platform}`, '--', ...command],
    env: { PATH: `${dirname(node)}:${process.env.PATH}` },
    attempts: 1,
  };
}

/** `runsc do` with the same root. On kernels newer than itself it may fail at random, so it gets three attempts. */
function runsc(platform: string, scratch: string): Runner {
  const flags = ['--rootless=false', `--platform=${platform}`, '--network=none'];
  return {
    name: `runsc-${platform}`,
    kind: 'runsc',
    argv: (command) => ['runsc', ...flags, 'do', ...command],
    // Its bundle goes there, and stays when it is killed.
    env: { TMPDIR: scratch },
    attempts: 3,
  };
}

export function startIn(runner: Runner, command: readonly string[], timeoutMs: number): Child {
  return start(runner.argv(command), timeoutMs, runner.env);
}

/** Runs the command; after a failure again, up to the runner's number of attempts. Never again after a time-out. */
export async function runIn(
  runner: Runner,
  command: readonly string[],
  timeoutMs: number,
): Promise<Finished> {
  for (let i = 1; ; i++) {
    const finished = await run(runner.argv(command), timeoutMs, runner.env);
    if (finished.status === 0 || finished.timedOut || i >= runner.attempts) return finished;
  }
}

/** Those runners whose name begins with one of `only`, and native; each has run /bin/true. */
export async function findRunners(
  only: readonly string[],
  scratch: string,
): Promise<{ runners: Runner[]; absent: Absent[] }> {
  const wanted = (name: string) => only.length === 0 || only.some((start) => name.startsWith(start));
  const names = [
    'native',
    ...PLATFORMS.map((p) => `vedette-${p}`),
    ...RUNSC_PLATFORMS.map((p) => `runsc-${p}`),
  ];
  const unknown = only.find((start) => !names.some((name) => name.startsWith(start)));
  if (unknown !== undefined)
    throw new UserError(`--only ${unknown}: no such runner; there are ${names.join(', ')}`);
  const candidates = PLATFORMS.map((platform) => vedette(platform));
  const absent: Absent[] = [];
  const known = await runscPlatforms();
  if (known.length === 0) absent.push({ name: 'runsc', reason: 'not installed' });
  for (const platform of RUNSC_PLATFORMS) {
    if (known.includes(platform)) candidates.push(runsc(platform, scratch));
    else if (known.length > 0)
      absent.push({ name: `runsc-${platform}`, reason: `this runsc knows only ${known.join(', ')}` });
  }
  const runners = [native];
  for (const runner of candidates) {
    if (!wanted(runner.name)) continue;
    const { status, reason } = await runIn(runner, ['/bin/true'], PROBE_MS);
    if (status === 0) runners.push(runner);
    else absent.push({ name: runner.name, reason: `/bin/true does not run: ${reason}` });
  }
  return { runners, absent: absent.filter(({ name }) => wanted(name)) };
}

async function runscPlatforms(): Promise<string[]> {
  const { stdout } = await run(['sh', '-c', 'runsc flags 2>&1'], PROBE_MS);
  return parseRunscPlatforms(stdout);
}

/** Reads the platforms out of the help of runsc's flag -platform: "platform to use: ptrace (default), kvm." */
export function parseRunscPlatforms(help: string): string[] {
  const list = help.match(/platform to use: ([^.\n]*)/)?.[1] ?? '';
  return RUNSC_PLATFORMS.filter((platform) => new RegExp(`\\b${platform}\\b`).test(list));
}
