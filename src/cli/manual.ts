// The man page vedette(1), made from the commands and their flags: see man(7).

import type { Command, Option } from 'commander';
import {
  ABOUT_CONTAINERS,
  ABOUT_NETWORK,
  COMPLETION_EXAMPLES,
  DO_EXAMPLES,
  DOCTOR_STATUSES,
  EXAMPLES,
  type Example,
  STATUSES,
  WHAT_IT_READS,
} from './usage.ts';

/** Text as roff shows it: nothing in it is a request, and a hyphen is one. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1')
    .replaceAll(/`([^`]*)`/g, '\\fB$1\\fR');
}

const item = (tag: string, text: string): string => `.TP\n${tag}\n${plain(text)}`;
const section = (name: string, ...parts: string[]): string => [`.SH ${name}`, ...parts].join('\n');
const examples = (all: readonly Example[]): string =>
  all.map(([command, does]) => item(`.B ${plain(command)}`, does)).join('\n');

/** "-e, --env <NAME=VALUE>": names bold, what they take in italics. */
function flagTag(option: Option): string {
  const [names = '', value = ''] = option.flags.split(/ (?=[<[])/);
  const shown = names.split(', ').map((name) => `\\fB${plain(name)}\\fR`);
  const optional = value.startsWith('[');
  const word = plain(value.replaceAll(/[<>[\]]/g, ''));
  const tail = value === '' ? '' : optional ? `[=\\fI${word}\\fR]` : ` \\fI${word}\\fR`;
  return shown.join(', ') + tail;
}

function flags(command: Command): string {
  const all = command.options.filter((o) => !o.hidden);
  return all.map((o) => item(flagTag(o), o.description)).join('\n');
}

const statuses = (all: typeof STATUSES): string =>
  all.map(([status, meaning]) => item(`.B ${plain(status)}`, meaning)).join('\n');

/** The page, for the version of the package that it comes with. */
export function manPage(program: Command, version: string): string {
  const commands = program.commands.filter((c) => c.name() !== 'self-test');
  const run = commands.find((c) => c.name() === 'do')!;
  const usage = (c: Command) => `.B vedette ${c.name()}\n${plain(c.usage().replace('[options]', '[flags]'))}`;
  return `${[
    `.TH VEDETTE 1 "" "vedette ${version}" "User Commands"`,
    section('NAME', 'vedette \\- run Linux programs in a sandbox'),
    section('SYNOPSIS', commands.map(usage).join('\n.br\n')),
    section(
      'DESCRIPTION',
      plain(program.description()),
      '.PP',
      plain(WHAT_IT_READS),
      '.PP',
      plain(ABOUT_NETWORK),
    ),
    section('COMMANDS', ...commands.map((c) => item(`.B ${c.name()}`, c.description()))),
    section('CONTAINERS', plain(ABOUT_CONTAINERS)),
    section('FLAGS OF DO', flags(run)),
    ...commands
      .filter((c) => c !== run && c.options.some((o) => !o.hidden))
      .map((c) => section(`FLAGS OF ${c.name().toUpperCase()}`, flags(c))),
    section('EXIT STATUS', statuses(STATUSES), '.PP', 'Of doctor:', statuses(DOCTOR_STATUSES)),
    section(
      'ENVIRONMENT',
      item('.B PATH', 'where the program is looked for, inside'),
      item('.B XDG_CACHE_HOME', 'the folder for the code that Node.js compiled; ~/.cache when not set'),
      item('.B NO_COLOR', '`vedette doctor` shows no colours'),
    ),
    section('EXAMPLES', examples([...DO_EXAMPLES, ...EXAMPLES, ...COMPLETION_EXAMPLES])),
    section('SEE ALSO', '.BR strace (1),\n.BR unshare (1),\n.BR seccomp (2)'),
  ].join('\n')}\n`;
}
