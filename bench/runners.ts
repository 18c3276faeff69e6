// The ways to run one command line: natively, inside Vedette in each variant, under runsc on each platform.

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
/** Our variants and their flags of `vedette do`. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  systrap: ['--platform=systrap'],
  // As on a host whose programs may not use rdgsbase and its like.
  'systrap-nofs': ['--platform=systrap', '--fsgsbase=off'],
  ptrace: ['--platform=ptrace'],
};
const RUNSC_PLATFORMS = ['systrap', 'ptrace', 'kvm'];
const PROBE_MS = 5_000;

export const native: Runner = {
  name: 'native',
  kind: 'native',
  argv: (command) => [...command],
  env: {},
  attempts: 1,
};

/** The runsc to compare with: RUNSC=PATH, or the one in the PATH. */
export function runscPath(): string {
  return process.env.RUNSC ?? 'runsc';
}

export function vedette(variant: string, node = process.execPath): Runner {
  return {
    name: `vedette-${variant}`,
    kind: 'vedette',
    // As it is installed: its first lines find `node` in the PATH and choose flags for it.
    argv: (command) => [VEDETTE, 'do', ...VARIANTS[variant]!, '--', ...command],
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
    argv: (command) => [runscPath(), ...flags, 'do', ...command],
    // Its bundle goes there, and stays when it is killed.
    env: { TMPDIR: scratch },
    attempts: 3,
  };
}

export function startIn(runner: Runner, command: readonly string[], timeoutMs: number): Child {
  return start(runner.argv(command), timeoutMs, runner.env);
}

/** A run of a runner, with the reasons of the attempts before it that failed. */
export interface Attempted extends Finished {
  readonly failures: readonly string[];
}

/** Runs the command; after a failure again, up to the runner's number of attempts. Never again after a time-out. */
export async function runIn(
  runner: Runner,
  command: readonly string[],
  timeoutMs: number,
): Promise<Attempted> {
  const failures: string[] = [];
  for (let i = 1; ; i++) {
    const finished = await run(runner.argv(command), timeoutMs, runner.env);
    if (finished.status === 0 || finished.timedOut || i >= runner.attempts) return { ...finished, failures };
    failures.push(finished.reason);
  }
}

/** All runners that there could be. */
const NAMES: readonly string[] = [
  'native',
  ...Object.keys(VARIANTS).map((variant) => `vedette-${variant}`),
  ...RUNSC_PLATFORMS.map((p) => `runsc-${p}`),
];

/** Throws UserError for what is neither a runner's name nor the beginning of one. */
export function checkRunners(only: readonly string[]): void {
  const unknown = only.find((start) => !NAMES.some((name) => name.startsWith(start)));
  if (unknown !== undefined)
    throw new UserError(`--only ${unknown}: no such runner; there are ${NAMES.join(', ')}`);
}

/** Those runners that `only` names, fully or by a beginning, and native; each has run /bin/true. */
export async function findRunners(
  only: readonly string[],
  scratch: string,
  fsgsbase: boolean | undefined,
): Promise<{ runners: Runner[]; absent: Absent[] }> {
  const wanted = (name: string) => isWanted(name, only, NAMES);
  const candidates = Object.keys(VARIANTS).map((variant) => vedette(variant));
  const absent: Absent[] = [];
  const known = await runscPlatforms();
  if (known.length === 0) absent.push({ name: 'runsc', reason: 'neither in PATH nor named by RUNSC' });
  for (const platform of RUNSC_PLATFORMS) {
    if (known.includes(platform)) candidates.push(runsc(platform, scratch));
    else if (known.length > 0)
      absent.push({ name: `runsc-${platform}`, reason: `this runsc knows only ${known.join(', ')}` });
  }
  const runners = [native];
  for (const runner of candidates) {
    if (!wanted(runner.name)) continue;
    if (runner.name === 'vedette-systrap-nofs' && fsgsbase === false) {
      absent.push({ name: runner.name, reason: 'on this host vedette-systrap is the same' });
      continue;
    }
    const { status, stderr, reason } = await runIn(runner, ['/bin/true'], PROBE_MS);
    if (status === 0) runners.push(runner);
    else if (/unknown option/.test(stderr))
      absent.push({ name: runner.name, reason: `not available: ${reason}` });
    else absent.push({ name: runner.name, reason: `/bin/true does not run: ${reason}` });
  }
  return { runners, absent: absent.filter(({ name }) => wanted(name)) };
}

/** A full name stands for itself alone, any other text for all names that begin with it. */
export function isWanted(name: string, only: readonly string[], names: readonly string[]): boolean {
  if (only.length === 0) return true;
  return only.some((text) => name === text || (!names.includes(text) && name.startsWith(text)));
}

async function runscPlatforms(): Promise<string[]> {
  const { stdout, stderr } = await run([runscPath(), 'flags'], PROBE_MS);
  return parseRunscPlatforms(stdout + stderr);
}

/** Reads the platforms out of the help of runsc's flag -platform: "platform to use: ptrace (default), kvm." */
export function parseRunscPlatforms(help: string): string[] {
  const list = help.match(/platform to use: ([^.\n]*)/)?.[1] ?? '';
  return RUNSC_PLATFORMS.filter((platform) => new RegExp(`\\b${platform}\\b`).test(list));
}
