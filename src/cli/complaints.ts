// What is said about a command line that cannot be understood: one line, what is wrong and how it is meant to be written.

import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, CommanderError } from 'commander';

/** How people who know other tools call what we have, or need not ask for. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '--volume': '--mount SRC:DST',
  '-v': '--mount SRC:DST',
  '--ro-bind': '--mount SRC:DST:ro',
  '--workdir': '--cwd DIR',
  '-w': '--cwd DIR',
  '--chdir': '--cwd DIR',
  '--net': '--network user',
  '--port': '-p HOST:GUEST',
  '--allow-net': '--allow NAME',
  '--add-host': '--allow host.vedette.internal',
  '--root': '--rootfs DIR',
  '--clearenv': '--clear-env',
  '--setenv': '-e NAME=VALUE',
  '--uid': '--user UID',
  '--mem': '--memory SIZE',
  '--pids-limit': '--pids N',
};
/** What containers need to be told and a sandbox of ours is in any case. */
const NEEDLESS = /^(--rm|--interactive|--tty|--init|-i?t?|-t?i?)$/;
/** Commands of other tools that run a program. */
const RUNS = new Set(['run', 'exec', 'spawn', 'start', 'shell']);

/** How many letters have to be changed, added, left out or swapped to make one word of the other. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The known word that was probably meant; null when none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(word.replace(/^-+/, '').length / 2)) + 1;
  for (const candidate of known) {
    const d = candidate.startsWith(word) && word.length > 3 ? 0.5 : distance(word, candidate);
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}

/** A word as it is written in a shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** True for the name of something that could be run: a path, or in the PATH. */
function isProgram(word: string): boolean {
  const dirs = word.includes('/') ? [''] : (process.env.PATH ?? '').split(':').filter((dir) => dir !== '');
  return dirs.some((dir) => {
    try {
      const path = join(dir, word);
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

const longFlags = (command: Command): string[] =>
  command.options.filter((o) => !o.hidden).map((o) => o.long ?? o.short!);

function unknownFlag(flag: string, command: Command, program: Command, words: readonly string[]): string {
  const [name = flag, value] = flag.split('=');
  const doCommand = program.commands.find((c) => c.name() === 'do')!;
  const all = `"vedette ${command === program ? '' : `${command.name()} `}--help" lists all`;
  if (command === program) {
    const known = doCommand.options.some((o) => o.long === name || o.short === name);
    if (known) return `${name} is a flag of do; fix: vedette do ${words.map(quoted).join(' ')}`;
    if (name === '-v') return 'unknown flag -v; fix: did you mean: vedette --version';
  }
  if (command === doCommand && NEEDLESS.test(name))
    return `unknown flag ${name}; fix: leave it out: the program has your terminal, and nothing stays behind`;
  const other = command === doCommand ? ELSEWHERE[name] : undefined;
  const near = nearest(name, [...longFlags(command), '--help']);
  const rest = value === undefined || near === null ? '' : `=${value}`;
  if (other !== undefined) return `unknown flag ${name}; fix: did you mean ${other}? ${all}`;
  return `unknown flag ${name}; fix: ${near === null ? all : `did you mean ${near}${rest}? ${all}`}`;
}

function unknownCommand(word: string, program: Command, words: readonly string[]): string {
  const names = program.commands.map((c) => c.name()).filter((name) => name !== 'self-test');
  const at = words.indexOf(word);
  const rest = words.slice(at + 1);
  const line = (command: readonly string[]) => `did you mean: vedette do -- ${command.map(quoted).join(' ')}`;
  if (isProgram(word)) return `unknown command ${word}; fix: ${line([word, ...rest])}`;
  const program_ = rest.filter((w) => w !== '--');
  if (RUNS.has(word))
    return `unknown command ${word}; fix: ${program_.length > 0 && !program_[0]!.startsWith('-') ? line(program_) : 'vedette do -- CMD runs a program'}`;
  const near = nearest(word, names);
  if (near !== null) return `unknown command ${word}; fix: did you mean: vedette ${near}`;
  return `unknown command ${word}; fix: one of ${names.join(', ')}; a program is run by: vedette do -- CMD`;
}

/** The line for what commander found wrong with `words`, without the newline. */
export function complaint(error: CommanderError, program: Command, words: readonly string[]): string {
  const command = program.commands.find((c) => c.name() === words[0]) ?? program;
  const quotedIn = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  switch (error.code) {
    case 'commander.unknownOption':
      return unknownFlag(quotedIn, command, program, words);
    case 'commander.unknownCommand':
      return unknownCommand(quotedIn, program, words);
    case 'commander.missingArgument':
      return command.name() === 'do'
        ? 'do: no program to run; fix: vedette do [FLAGS] -- CMD [ARGS]'
        : `${command.name()}: ${quotedIn} is missing; fix: vedette ${command.name()} ${command.usage()}`;
    case 'commander.optionMissingArgument': {
      const long = /--\S+ \S+/.exec(quotedIn)?.[0] ?? quotedIn;
      return `${long.split(' ')[0]}: the value is missing; fix: ${long}`;
    }
    case 'commander.invalidArgument': {
      const [, flag, value, why = ''] =
        /option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. (.*)$/s.exec(error.message) ?? [];
      const fix = why.replace(/^Allowed choices are (.*)\.$/, 'one of: $1');
      return flag === undefined ? plain(error) : `${flag} ${value}: not possible; fix: ${fix}`;
    }
    case 'commander.excessArguments':
      return `${command.name()}: too many arguments; fix: vedette ${command.name()} ${command.usage()}`;
    default:
      return plain(error);
  }
}

function plain(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replaceAll('\n', ' ');
}
