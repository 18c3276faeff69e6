// Command lines that need no parser: `vedette do [--NAME=VALUE...] -- CMD ARGS`, which is how programs start sandboxes.
// commander takes 3 ms to load and to be told all flags. Whatever is not understood here is left to it.

/** Flags of `do` that take any text once and need no check while they are parsed; by their names in doOptions. */
const TEXT_FLAGS: ReadonlyMap<string, string> = new Map([
  ['cwd', 'cwd'],
  ['hostname', 'hostname'],
  ['memory', 'memory'],
  ['network', 'network'],
  ['platform', 'platform'],
  ['rootfs', 'rootfs'],
  ['user', 'user'],
]);

export interface PlainDo {
  readonly command: string[];
  readonly flags: Record<string, unknown>;
}

/** What a plain command line says, or null when commander must read it. `words` begin with the command's name. */
export function parsePlain(words: readonly string[]): PlainDo | null {
  if (words[0] !== 'do') return null;
  const flags: Record<string, unknown> = {};
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!;
    if (word === '--') return i + 1 < words.length ? { command: words.slice(i + 1), flags } : null;
    const at = word.indexOf('=');
    const name = word.startsWith('--') && at > 0 ? TEXT_FLAGS.get(word.slice(2, at)) : undefined;
    // What is given twice is complained of there.
    if (name === undefined || at + 1 === word.length || flags[name] !== undefined) return null;
    flags[name] = word.slice(at + 1);
  }
  return null;
}
