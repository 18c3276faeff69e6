// What can be run: a unit is one start of one program that prints figures for one or more cases.

import { accessSync, constants, existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Programs } from './programs.ts';

export interface Context {
  /** The repository. */
  readonly root: string;
  /** A folder of the host for whatever a unit writes. */
  readonly scratch: string;
  readonly programs: Programs;
  readonly quick: boolean;
}

export interface Unit {
  readonly name: string;
  readonly cases: readonly string[];
  /** Commands and absolute paths without which the unit cannot run. */
  readonly needs: readonly string[];
  /** How often it goes through all runners in a pass, if more than once. */
  readonly turns?: number;
  /** The command that prints "CASE NANOSECONDS" lines; `cases` are those that are wanted. */
  command(context: Context, cases: readonly string[]): string[];
}

/** The first of a unit's needs that this machine lacks. */
export function lacking(unit: Unit, path = process.env.PATH ?? ''): string | undefined {
  return unit.needs.find((need) => {
    if (isAbsolute(need)) return !existsSync(need);
    return !path.split(':').some((folder) => executable(join(folder, need)));
  });
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Quotes text for the shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
