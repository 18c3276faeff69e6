// The command line of `npm run bench`.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  readonly rounds: number;
  readonly quick: boolean;
  /** Show the best sample of each case instead of the median. */
  readonly best: boolean;
  /** Beginnings of runner names; empty: all. */
  readonly only: string[];
  /** Loops that keep cpus busy beside everything that is measured. */
  readonly busy: number;
  readonly json: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
  /** Cases, units and sections; empty: all. */
  readonly names: string[];
}

/** Something that the caller can mend: printed without a stack. */
export class UserError extends Error {}

export const HELP = `usage: npm run bench -- [options] [NAME...]

Runs microbenchmarks and workloads natively, inside Vedette on each platform, and under runsc when it is installed.
A NAME is a case (stat), a group (files, git) or a section: micro, workloads, python, startup, memory. Default: all.

  --quick         one short pass: rough figures in a minute and a half
  --rounds N      complete passes over all runners; figures are medians over them (default 3)
  --best          show the best sample instead of the median: what holds when others leave the machine alone
  --only A,B      only runners of that name, or whose names begin so, and native: vedette, vedette-systrap, runsc, ...
  --busy N        run N busy loops beside everything: ratios on a busy host
  --json FILE     write raw figures, failures and the machine's description
  --list          print the names of all cases and stop
  -h, --help      print this help

NODE_NEW=/path/to/node adds start-up times on another version of Node.js.
RUNSC=/path/to/runsc compares with that one instead of the one in the PATH.

Examples:
  npm run bench                                          everything; about five minutes
  npm run bench -- --quick --json now.json
  npm run bench -- --only vedette-systrap null_call stat
  npm run bench -- --rounds 5 files startup
`;

export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const quick = values.quick ?? false;
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UserError(`--rounds ${values.rounds}: give a whole number from 1 on`);
  const busy = Number(values.busy ?? 0);
  if (!Number.isInteger(busy) || busy < 0 || busy > 1000)
    throw new UserError(`--busy ${values.busy}: give a whole number of loops, 0 to 1000`);
  if (values.json !== undefined) checkWritable(values.json);
  checkProgram('NODE_NEW', process.env.NODE_NEW);
  checkProgram('RUNSC', process.env.RUNSC);
  return {
    rounds,
    quick,
    best: values.best ?? false,
    only: values.only?.split(',').filter((name) => name !== '') ?? [],
    busy,
    json: values.json,
    list: values.list ?? false,
    help: values.help ?? false,
    names: positionals,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean' },
        best: { type: 'boolean' },
        rounds: { type: 'string' },
        busy: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UserError(`${(error as Error).message}\nnpm run bench -- --help shows the options.`);
  }
}

/** Minutes of measuring shall not end in a file that cannot be written. */
function checkWritable(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`--json ${file}: that is a folder; name a file`);
  const folder = dirname(resolve(file));
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new UserError(`--json ${file}: cannot write into ${folder}; create it or name another folder`);
  }
}

function checkProgram(name: string, file: string | undefined): void {
  if (file === undefined) return;
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new UserError(`${name}=${file}: no program there; give the path of one`);
  }
}
