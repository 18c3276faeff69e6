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

/** It has one value. Flags that may stand often have a list. */
function takesOne(option: Option): boolean {
  return (option.required || option.optional) && !Array.isArray(option.defaultValue);
}

/** What the flag is given in `word`, or in the one after it; empty where it is given nothing. */
function givenTo(option: Option, word: string, next: string): string {
  if (word === option.long || word === option.short) return option.required ? next : '';
  return word.startsWith('--') ? word.slice(word.indexOf('=') + 1) : word.slice(2);
}

/** Which of two values was meant is not for us to guess. */
function twice(command: Command, option: Option, first: string, second: string): never {
  const values = first === '' || second === '' ? '' : `, as ${first} and ${second}`;
  return command.error(`error: ${option.long}: given twice${values}; fix: leave one of the two out`, {
    code: 'vedette.givenTwice',
  });
}

/**
 * The words of `command` as commander shall see them. A flag whose value may be left out (`--strace`) takes it only as
 * `--strace=FILE`: the word after it is the program, or belongs to it, and is never touched. Commander would take it for the value.
 */
export function prepareWords(command: Command, words: readonly string[]): string[] {
  const end = flagsEnd(command, words);
  const flags: string[] = [];
  const given = new Map<Option, string>();
  for (let i = 0; i < end; i++) {
    const word = words[i]!;
    const option = optionOf(command, word);
    if (option !== undefined && takesOne(option)) {
      const value = givenTo(option, word, i + 1 < end ? words[i + 1]! : '');
      const before = given.get(option);
      if (before !== undefined) twice(command, option, before, value);
      given.set(option, value);
    }
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
