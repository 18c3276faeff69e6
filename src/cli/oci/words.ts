// Which command lines are the OCI runtime's: options that stand before the command, and the commands.

/** Options before the command -> whether they take a value. */
const GLOBALS: ReadonlyMap<string, boolean> = new Map([
  ['root', true],
  ['log', true],
  ['log-format', true],
  ['systemd-cgroup', false],
  ['debug', false],
  ['debug-log', true],
  ['rootless', true],
  ['criu', true],
  ['gofer', false],
]);

export const OCI_COMMANDS: readonly string[] = [
  'create',
  'start',
  'run',
  'exec',
  'state',
  'kill',
  'delete',
  'list',
  'ps',
  'pause',
  'resume',
  'spec',
  'features',
  'events',
  'update',
  'install',
  'wait',
  'checkpoint',
  'restore',
  'exec-wait',
];

export interface OciWords {
  readonly globals: ReadonlyMap<string, string>;
  readonly command: string;
  readonly words: readonly string[];
}

/** What an OCI command line says; null for any other. */
export function ociWords(words: readonly string[]): OciWords | null {
  const globals = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('-'))
      return OCI_COMMANDS.includes(word) ? { globals, command: word, words: words.slice(i + 1) } : null;
    const [name = '', ...rest] = word.replace(/^--?/, '').split('=');
    const takes = GLOBALS.get(name);
    if (takes === undefined) return null;
    if (rest.length > 0) globals.set(name, rest.join('='));
    else if (!takes) globals.set(name, 'true');
    else globals.set(name, words[++i] ?? '');
  }
  return null;
}
