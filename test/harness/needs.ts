// What a test needs of the host, said in one place: needs('two cpus', 'python3') gives the options of a test or suite, which
// skip it with the reason where the host lacks something. scripts/test.mjs counts the reasons at its end.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { landlockAbi } from '../../src/host/landlock.ts';
import { hasFsgsbase } from '../../src/sentry/platform/systrap/features.ts';
import { systemPath } from './guest.ts';

/** Natively twice instead of natively and inside, to check the tests themselves. */
export const nativeOnly = process.env.VEDETTE_NATIVE_ONLY === '1';

interface Condition {
  readonly met: () => boolean;
  /** Why the test is skipped. */
  readonly reason: string;
}

const CONDITIONS = {
  fsgsbase: { met: hasFsgsbase, reason: 'no FSGSBASE' },
  'two cpus': { met: () => availableParallelism() > 1, reason: 'one cpu' },
  root: { met: () => process.getuid!() === 0, reason: 'not root' },
  'user namespaces': {
    met: () => spawnSync('unshare', ['--user', 'true']).status === 0,
    reason: 'no user namespaces',
  },
  'tsc clock': {
    met: () => read('/sys/devices/system/clocksource/clocksource0/current_clocksource') === 'tsc',
    reason: 'the clock source is not tsc',
  },
  'pseudo-terminals': { met: () => accessible('/dev/ptmx'), reason: 'no pseudo-terminals' },
  landlock: { met: () => landlockAbi() > 0, reason: 'no Landlock' },
  /** Programs run inside Vedette in this run of the tests. */
  inside: { met: () => !nativeOnly, reason: 'native runs only' },
  long: { met: () => process.env.VEDETTE_LONG === '1', reason: 'takes long: run with --long' },
} satisfies Record<string, Condition>;

/** A condition of the host, the name of a program, or the absolute path of a file. */
export type Need = keyof typeof CONDITIONS | (string & {});

/** The options of a test or suite: `skip` names what the host lacks first, or is false. */
export function needs(...all: readonly Need[]): { skip: string | false } {
  for (const need of all) {
    const reason = lacking(need);
    if (reason !== false) return { skip: reason };
  }
  return { skip: false };
}

const known = new Map<Need, string | false>();

function lacking(need: Need): string | false {
  let reason = known.get(need);
  if (reason === undefined) known.set(need, (reason = find(need)));
  return reason;
}

function find(need: Need): string | false {
  const condition = Object.hasOwn(CONDITIONS, need)
    ? (CONDITIONS as Record<string, Condition>)[need]
    : undefined;
  if (condition !== undefined) return condition.met() ? false : condition.reason;
  if (need.startsWith('/')) return existsSync(need) ? false : `no ${need}`;
  // Conditions have blanks or are listed above: what is neither is a program, and a misspelt condition must not skip.
  if (/\s/.test(need)) throw new Error(`needs: no condition "${need}"`);
  return which(need) === undefined ? `${need} is not installed` : false;
}

/** The path of a program in systemPath, if there is one. */
export function which(name: string): string | undefined {
  return systemPath
    .split(':')
    .map((dir) => join(dir, name))
    .find((path) => existsSync(path));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch {
    return '';
  }
}

function accessible(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
