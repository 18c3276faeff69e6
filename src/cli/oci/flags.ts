// The words of a command: flags as runc's callers write them (--name value, --name=value, -n value), then ids and arguments.

import { RuntimeError } from '../../runtime/oci/failure.ts';

/** What a flag takes. */
export type FlagKind = 'bool' | 'text' | 'list';

export type FlagTable = Readonly<Record<string, FlagKind>>;

export class Flags {
  private readonly values = new Map<string, string[]>();
  readonly words: string[] = [];

  add(name: string, value: string): void {
    const before = this.values.get(name);
    if (before === undefined) this.values.set(name, [value]);
    else before.push(value);
  }

  has(name: string): boolean {
    const value = this.values.get(name)?.at(-1);
    return value !== undefined && value !== 'false';
  }

  /** The last one given; null for none. */
  text(name: string): string | null {
    return this.values.get(name)?.at(-1) ?? null;
  }

  list(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  number(name: string): number {
    const text = this.text(name) ?? '0';
    if (!/^\d{1,9}$/.test(text)) throw new RuntimeError(`--${name} ${text}: not a number; fix: --${name} N`);
    return Number(text);
  }
}

/** Short names. */
const SHORT: Readonly<Record<string, string>> = {
  a: 'all',
  b: 'bundle',
  d: 'detach',
  e: 'env',
  f: 'format',
  p: 'process',
  q: 'quiet',
  t: 'tty',
  u: 'user',
};

/** Reads flags up to the first word that is none; `most` words are looked through, the rest are a program's. */
export function readFlags(
  words: readonly string[],
  table: FlagTable,
  most = Number.POSITIVE_INFINITY,
): Flags {
  const flags = new Flags();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '--') {
      flags.words.push(...words.slice(i + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-' || flags.words.length >= most) {
      flags.words.push(word);
      if (flags.words.length >= most) {
        flags.words.push(...words.slice(i + 1));
        break;
      }
      continue;
    }
    const [given = '', ...rest] = word.replace(/^--?/, '').split('=');
    // A command may mean something else by a letter.
    const name = given.length === 1 && table[given] === undefined ? (SHORT[given] ?? given) : given;
    const kind = table[name];
    if (kind === undefined) throw new RuntimeError(`flag provided but not defined: ${word}`);
    const value = rest.length > 0 ? rest.join('=') : undefined;
    if (kind === 'bool') flags.add(name, value ?? 'true');
    else {
      const text = value ?? words[++i];
      if (text === undefined) throw new RuntimeError(`flag needs an argument: ${word}`);
      flags.add(name, text);
    }
  }
  return flags;
}
