// `vedette completion SHELL`: scripts that complete command lines, made from the commands and their flags. Each knows where the
// program of `vedette do` begins, and completes it and its arguments as the shell does without us.

import type { Command, Option } from 'commander';
import { CLOCK_NAMES } from '../runtime/options.ts';
import { SHELLS } from './usage.ts';

/** What the value of a flag may be: one of a list, a path, a directory, or anything. */
type Values = readonly string[] | 'file' | 'dir' | 'any';

const LISTS: Readonly<Record<string, readonly string[]>> = {
  '--platform': ['auto', 'systrap', 'ptrace'],
  '--clock': CLOCK_NAMES,
  '--dump-signal': ['HUP', 'QUIT', 'USR1', 'USR2'],
};

function valuesOf(option: Option): Values {
  const known = option.argChoices ?? LISTS[option.long ?? ''];
  if (known !== undefined) return known;
  if (/[<[]dir[>\]]/.test(option.flags)) return 'dir';
  return /[<[](file|SRC:)/.test(option.flags) ? 'file' : 'any';
}

interface Flag {
  readonly names: string[];
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  /** null: it takes no value. */
  readonly values: Values | null;
  /** The value may be left out, and otherwise follows `=`. */
  readonly optional: boolean;
  readonly repeats: boolean;
}

interface Subcommand {
  readonly name: string;
  readonly description: string;
  readonly flags: Flag[];
  /** What its argument may be. */
  readonly words: readonly string[];
}

const HELP: Flag = {
  names: ['-h', '--help'],
  long: '--help',
  short: '-h',
  description: 'print this help',
  values: null,
  optional: false,
  repeats: false,
};

function flagsOf(command: Command): Flag[] {
  const flags = command.options
    .filter((o) => !o.hidden)
    .map((o) => ({
      names: [o.short, o.long].filter((name) => name !== undefined),
      long: o.long!,
      short: o.short,
      description: o.description,
      values: o.required || o.optional ? valuesOf(o) : null,
      optional: o.optional,
      repeats: Array.isArray(o.defaultValue),
    }));
  return [...flags, HELP];
}

function subcommands(program: Command): Subcommand[] {
  const visible = program.commands.filter((c) => c.name() !== 'self-test');
  const names = visible.map((c) => c.name());
  return visible.map((c) => ({
    name: c.name(),
    description: c.description(),
    flags: flagsOf(c),
    words: c.name() === 'help' ? names : c.name() === 'completion' ? SHELLS : [],
  }));
}

const single = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(commands: readonly Subcommand[], top: readonly Flag[]): string {
  const compgen = (values: Values): string => {
    if (values === 'any') return '      ;;';
    if (values === 'dir')
      return '      compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;';
    if (values === 'file')
      return '      compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;';
    return `      mapfile -t COMPREPLY < <(compgen -W ${single(values.join(' '))} -- "$cur") ;;`;
  };
  const run = commands.find((c) => c.name === 'do')!;
  const needValue = run.flags.filter((f) => f.values !== null && !f.optional).flatMap((f) => f.names);
  const values = run.flags
    .filter((f) => f.values !== null)
    .map((f) => `    ${f.names.join('|')})\n${compgen(f.values!)}`);
  const words = (c: Subcommand) => [...c.words, ...c.flags.flatMap((f) => f.names)].join(' ');
  return `# Completion of vedette for bash: source <(vedette completion bash)
_vedette() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command= flag= program= word i
  # "=" is a word of its own here: --platform = systrap.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $flag ]]; then
      [[ $word == = ]] || flag=
    elif [[ -z $command ]]; then
      [[ $word == -* ]] || command=$word
    elif [[ $command == do ]]; then
      case $word in
      --) program=$((i + 1)); break ;;
      ${needValue.join('|')}) flag=$word ;;
      -*) [[ \${COMP_WORDS[i + 1]} == = ]] && flag=$word ;;
      *) program=$i; break ;;
      esac
    fi
  done
  [[ $cur == = ]] && cur=
  COMPREPLY=()
  if [[ -n $program ]]; then
    if declare -F _command_offset > /dev/null; then
      _command_offset "$program"
    elif ((program == COMP_CWORD)); then
      mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    else
      compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
  elif [[ -n $flag ]]; then
    case $flag in
${values.join('\n')}
    esac
  else
    case $command in
    '') mapfile -t COMPREPLY < <(compgen -W ${single([...commands.map((c) => c.name), ...top.flatMap((f) => f.names)].join(' '))} -- "$cur") ;;
    do) [[ $cur == -* ]] || mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;&
${commands.map((c) => `    ${c.name}) [[ -n \${COMPREPLY[*]} ]] || mapfile -t COMPREPLY < <(compgen -W ${single(words(c))} -- "$cur") ;;`).join('\n')}
    esac
  fi
}
complete -F _vedette vedette
`;
}

function zsh(commands: readonly Subcommand[], top: readonly Flag[]): string {
  const plain = (text: string) => text.replaceAll(/[[\]:\\]/g, '\\$&');
  const action = (values: Values): string => {
    if (values === 'any') return ' ';
    if (values === 'dir') return '_files -/';
    return values === 'file' ? '_files' : `(${values.join(' ')})`;
  };
  // name=[what it does]:value:completion; a second colon for values that may be left out.
  const spec = (f: Flag): string[] =>
    f.names.map((name) => {
      const join = f.values === null ? '' : f.optional ? '=-' : name.startsWith('--') ? '=' : '+';
      const value = f.values === null ? '' : `${f.optional ? ':' : ''}:value:${action(f.values)}`;
      return single(`${f.repeats ? '*' : ''}${name}${join}[${plain(f.description)}]${value}`);
    });
  const body = (c: Subcommand): string => {
    const lines = c.flags.flatMap(spec);
    if (c.name === 'do') lines.push("'(-)1:program:_command_names -e'", "'*::arguments:_normal'");
    else if (c.words.length > 0) lines.push(single(`1:word:(${c.words.join(' ')})`));
    return `    ${c.name})\n      _arguments -S \\\n        ${lines.join(' \\\n        ')} ;;`;
  };
  return `#compdef vedette
# Completion of vedette for zsh: source <(vedette completion zsh), or this text as _vedette in a folder of $fpath
_vedette() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C \\
    ${top.flatMap(spec).join(' \\\n    ')} \\
    '1:command:->command' '*::arguments:->arguments'
  case $state in
  command)
    local -a commands
    commands=(
${commands.map((c) => `      ${single(`${c.name}:${plain(c.description)}`)}`).join('\n')}
    )
    _describe command commands ;;
  arguments)
    case $words[1] in
${commands.map(body).join('\n')}
    esac ;;
  esac
}
if [[ $funcstack[1] == _vedette ]]; then _vedette "$@"; else compdef _vedette vedette; fi
`;
}

function fish(commands: readonly Subcommand[], top: readonly Flag[]): string {
  const line = (condition: string, f: Flag): string => {
    const short = f.short === undefined ? '' : ` -s ${f.short.slice(1)}`;
    const head = `complete -c vedette -n ${single(condition)}${short} -l ${f.long.slice(2)}`;
    const tail = ` -d ${single(f.description)}`;
    if (f.values === null || f.optional) return head + tail;
    if (f.values === 'file') return `${head} -r -F${tail}`;
    if (f.values === 'dir') return `${head} -x -a '(__fish_complete_directories)'${tail}`;
    return f.values === 'any' ? `${head} -x${tail}` : `${head} -x -a ${single(f.values.join(' '))}${tail}`;
  };
  const run = commands.find((c) => c.name === 'do')!;
  const needValue = run.flags.filter((f) => f.values !== null && !f.optional).flatMap((f) => f.names);
  const parts = commands.flatMap((c) => {
    const seen = c.name === 'do' ? '__vedette_flags' : `__vedette_command ${c.name}`;
    return [
      `complete -c vedette -n __vedette_no_command -a ${c.name} -d ${single(c.description)}`,
      ...c.flags.map((f) => line(seen, f)),
      ...(c.words.length > 0
        ? [`complete -c vedette -n ${single(seen)} -a ${single(c.words.join(' '))}`]
        : []),
    ];
  });
  return `# Completion of vedette for fish: vedette completion fish | source
function __vedette_no_command
  not string match -qrv -- '^-' (commandline -opc)[2..]
end
function __vedette_command
  set -l words (string match -rv -- '^-' (commandline -opc)[2..])
  test "$words[1]" = $argv[1]
end
# Prints where the program of "vedette do" begins among the words before the cursor; fails when that is not told yet.
function __vedette_program
  set -l words (commandline -opc)
  set -l i 2
  while test $i -le (count $words); and string match -q -- '-*' $words[$i]
    set i (math $i + 1)
  end
  test "$words[$i]" = do; or return 1
  set i (math $i + 1)
  while test $i -le (count $words)
    switch $words[$i]
      case --
        math $i + 1
        return 0
      case ${needValue.join(' ')}
        set i (math $i + 1)
      case '-*'
      case '*'
        echo $i
        return 0
    end
    set i (math $i + 1)
  end
  return 1
end
function __vedette_flags
  __vedette_command do; and not __vedette_program > /dev/null
end
function __vedette_complete_program
  set -l at (__vedette_program)
  if test -z "$at"
    string match -q -- '-*' (commandline -ct); and return
    set at (math (count (commandline -opc)) + 1)
  end
  set -l words (commandline -opc) (commandline -ct)
  complete --do-complete=(string join ' ' -- (string escape -- $words[$at..-2]) $words[-1])
end
complete -c vedette -f
${top.map((f) => line('__vedette_no_command', f)).join('\n')}
${parts.join('\n')}
complete -c vedette -n '__vedette_command do' -a '(__vedette_complete_program)'
`;
}

/** The completion script of one of SHELLS. */
export function completion(shell: string, program: Command): string {
  const make = { bash, zsh, fish }[shell as 'bash' | 'zsh' | 'fish'];
  return make(subcommands(program), flagsOf(program));
}
