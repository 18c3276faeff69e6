// --mount and --bind: "SRC:DST", "SRC:DST:ro", or "src=SRC,dst=DST,ro" as other tools have it. A backslash before what separates takes it as it
// is, in both.

import { resolve } from 'node:path';
import { type MountOption, STATUS_USAGE, StartError } from '../runtime/options.ts';

const NAMES: Readonly<Record<string, 'source' | 'target'>> = {
  src: 'source',
  source: 'source',
  dst: 'target',
  destination: 'target',
  target: 'target',
};

/** All but where its changes go. */
type Placed = Omit<MountOption, 'shared'>;

/** `flag`: the option with its value. */
function wrong(flag: string, what: string, fix: string): never {
  throw new StartError(`${flag}: ${what}; fix: ${fix}`, STATUS_USAGE);
}

/** The parts of `text` between separators that no backslash stands before. Other backslashes are themselves. */
export function splitPlain(text: string, separator: string): string[] {
  const parts = [''];
  for (let i = 0; i < text.length; i++) {
    const next = text[i + 1];
    if (text[i] === '\\' && (next === separator || next === '\\')) parts[parts.length - 1] += text[++i]!;
    else if (text[i] === separator) parts.push('');
    else parts[parts.length - 1] += text[i]!;
  }
  return parts;
}

function ofNames(text: string, flag: string): Placed {
  const found = { source: '', target: '', readonly: false };
  for (const part of splitPlain(text, ',')) {
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    const value = at < 0 ? '' : part.slice(at + 1);
    const path = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
    if (path !== undefined) found[path] = value;
    else if (name === 'ro' || name === 'readonly') found.readonly = value !== 'false' && value !== '0';
    else if (name === 'type' && value === 'tmpfs') wrong(flag, 'not of this type', '--tmpfs DST');
    else if (name !== 'type' || value !== 'bind')
      wrong(flag, `${part} is not known`, 'src=SRC,dst=DST[,ro]; a comma in a path is written \\,');
  }
  return found;
}

function ofParts(text: string, flag: string): Placed {
  const [source = '', target = '', mode = 'rw', ...more] = splitPlain(text, ':');
  if (more.length > 0 || (mode !== 'ro' && mode !== 'rw'))
    wrong(flag, 'not understood', 'SRC:DST or SRC:DST:ro; a : in a path is written \\:');
  return { source, target, readonly: mode === 'ro' };
}

/** The mount that `text` asks for, the value of `option`. Throws StartError for what is not understood. */
export function parseMount(
  text: string,
  option = '--mount',
  hostFile: (path: string) => string = resolve,
): Placed {
  const flag = `${option} ${text}`;
  const m = /^(type|src|source|dst|destination|target|ro|readonly)(=|,)/.test(text)
    ? ofNames(text, flag)
    : ofParts(text, flag);
  if (m.source === '' || m.target === '')
    wrong(
      flag,
      `no ${m.source === '' ? 'source' : 'place inside'}`,
      'SRC:DST, SRC:DST:ro or src=SRC,dst=DST[,ro]',
    );
  if (!m.target.startsWith('/')) wrong(flag, `${m.target} is not an absolute path inside`, `/${m.target}`);
  return { ...m, source: hostFile(m.source) };
}
