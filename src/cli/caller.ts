// The caller's words and variables, byte for byte: Node.js has copies of both in which what is no UTF-8 is lost.

import { readFileSync } from 'node:fs';
import { HANDED_NAME } from '../runtime/network/handed.ts';
import { NOTE_NAME } from '../runtime/note.ts';
import { fromText, toText } from '../sentry/base/bytes.ts';

/** The strings of a file such as /proc/self/environ, each with its end; null when it cannot be read. */
function strings(file: string): string[] | null {
  try {
    return toText(readFileSync(file, 'latin1')).split('\0').slice(0, -1);
  } catch {
    return null;
  }
}

/** The words of the command line after the launcher's name. */
export function callerWords(): string[] {
  const words = process.argv.slice(2);
  const all = strings('/proc/self/cmdline') ?? [];
  const last = all.slice(all.length - words.length);
  // Who runs the command as a part of a larger program has put other words there.
  const same = last.length === words.length && last.every((word, i) => decoded(word) === words[i]);
  return same ? last : words;
}

/** What Node.js makes of such a word. */
function decoded(word: string): string {
  return Buffer.from(fromText(word), 'latin1').toString('utf8');
}

const NODE_CERTIFICATES = 'NODE_EXTRA_CA_CERTS=';
const KEPT_CERTIFICATES = 'VEDETTE_CA_CERTS=';

/** The variables that the caller has, as it has them: NAME=VALUE mostly. */
export function callerEnv(): string[] {
  const all = strings('/proc/self/environ');
  if (all === null) return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  return all
    .filter((entry) => !entry.startsWith(`${NOTE_NAME}=`) && !entry.startsWith(`${HANDED_NAME}=`))
    .map((entry) =>
      entry.startsWith(KEPT_CERTIFICATES) ? NODE_CERTIFICATES + entry.slice(KEPT_CERTIFICATES.length) : entry,
    );
}
