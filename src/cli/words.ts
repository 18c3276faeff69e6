// The words of a command line before commander reads them: flags whose value may be left out, and where the program begins.

import type { Command, Option } from 'commander';

/** The option that a word names, with or without a value behind it. */
function optionOf(command: Command, word: string): Option | undefined {
  const name = /^(--[^=]+|-[^-])/.exec(word)?.[0];
  return name === undefined ? undefined : command.options.find((o) => o.long === name || o.short === name);
}

/** Where the words after the flags of `command` begin: the program, or the `--` before it. */
export function flagsEnd(command: Command, words: readonly string[]): number {
  let i = 0;
  while (i < words.length && words[i] !== '--' && /^-./.test(words[i]!)) {
    const option = optionOf(command, words[i]!);
    const alone = words[i] === option?.long || words[i] === option?.short;
    i += option?.required === true && alone ? 2 : 1;
  }
  return Math.min(i, words.length);
}

/**
 * The words of `command` as commander shall see them. A flag whose value may be left out (`--strace`) takes it only as
 * `--strace=FILE`: the word after it is the program, or belongs to it, and is never touched. Commander would take it for the value.
 */
export function prepareWords(command: Command, words: readonly string[]): string[] {
  const end = flagsEnd(command, words);
  const flags: string[] = [];
  for (let i = 0; i < end; i++) {
    const word = words[i]!;
    const option = optionOf(command, word);
    if (option?.required === true && (word === option.long || word === option.short)) {
      // `--` is never a value: whoever wrote it has forgotten the value. `--cwd=--` is one.
      if (i + 1 >= end || words[i + 1] === '--')
        command.error(`error: option '${option.flags}' argument missing`, {
          code: 'commander.optionMissingArgument',
        });
      flags.push(word, words[++i]!);
    } else flags.push(option?.optional === true && word === option.long ? `${word}=-` : word);
  }
  return [...flags, ...words.slice(end)];
}

/**
 * `--strace trace.txt -- true` was probably meant to name a file, but runs the program trace.txt: what to say when there is none.
 */
export function forgottenEquals(command: Command, words: readonly string[]): string | null {
  const end = flagsEnd(command, words);
  const option = end > 0 ? optionOf(command, words[end - 1]!) : undefined;
  if (option?.optional !== true || words[end - 1] !== option.long || words[end + 1] !== '--') return null;
  return `for a file, write ${option.long}=${words[end]}`;
}
