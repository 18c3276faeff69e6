// --secret NAME@HOST[:PORT][,HOST...] takes the value from the caller's variable NAME, --secret NAME=@FILE@HOST[,HOST...] from a file.
// The value never stands on the command line, which every process of the machine may read.

import { readFileSync } from 'node:fs';
import { isHostPattern, plainHost, splitPort } from './host_pattern.ts';
import {
  LEAST_VALUE_BYTES,
  MOST_SECRETS,
  MOST_VALUE_BYTES,
  makePlaceholder,
  type SecretConfig,
} from './secrets.ts';

/** What a person got wrong, with the fix; never with a value. */
export class SecretFlagError extends Error {
  override readonly name = 'SecretFlagError';
}

function wrong(flag: string, what: string, fix: string): never {
  throw new SecretFlagError(`${flag}: ${what}; fix: ${fix}`);
}

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile?: (path: string) => string;
}

/** The secret of one `--secret TEXT`, with a new placeholder. Throws SecretFlagError. */
export function parseSecret(text: string, sources: SecretSources): SecretConfig {
  const at = text.lastIndexOf('@');
  const left = at < 0 ? text : text.slice(0, at);
  const eq = left.indexOf('=');
  const name = eq < 0 ? left : left.slice(0, eq);
  // What stands behind = may be a value that somebody wrote there: it is not shown.
  const flag = eq < 0 || text[eq + 1] === '@' ? `--secret ${text}` : `--secret ${name}=...`;
  const form = 'NAME@HOST, or NAME=@FILE@HOST for the content of a file';
  if (eq >= 0 && text[eq + 1] !== '@')
    wrong(
      flag,
      'a value on the command line is seen by every process',
      `${name}=... before the command, and --secret ${name}@HOST`,
    );
  if (at < 0 || (eq >= 0 && at === eq + 1)) wrong(flag, 'no host', `--secret ${form}`);
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name))
    wrong(flag, `"${name}" is no name of a variable`, `letters, digits and _, 64 at most: --secret ${form}`);
  const hosts = text
    .slice(at + 1)
    .split(',')
    .map((host) => plainHost(host.trim()));
  for (const written of hosts) {
    const { host, port } = splitPort(written);
    if (port !== null && (port < 1 || port > 65535)) wrong(flag, `${port} is no port`, '1 to 65535');
    if (host === '*') wrong(flag, 'every host would get it', 'name the hosts, or *.NAME for those below one');
    if (host === '' || !isHostPattern(host))
      wrong(flag, `"${host}" is no host`, `--secret ${form}, without scheme and path`);
    if (/^\*\.[^.]*$/.test(host))
      wrong(flag, `${host} is every host of a top-level domain`, 'a longer name, such as *.example.com');
  }
  const value = eq < 0 ? ofVariable(flag, name, sources) : ofFile(flag, left.slice(eq + 2), sources);
  const size = Buffer.byteLength(value);
  const from = eq < 0 ? `variable ${name}` : 'the file';
  if (size < LEAST_VALUE_BYTES)
    wrong(
      flag,
      `${from} has ${size} bytes`,
      `a secret of ${LEAST_VALUE_BYTES} or more: a shorter one stands in answers by chance`,
    );
  if (size > MOST_VALUE_BYTES)
    wrong(flag, `${from} has ${size} bytes`, `a secret of at most ${MOST_VALUE_BYTES}`);
  return { name, hosts, placeholder: makePlaceholder(name), value };
}

function ofVariable(flag: string, name: string, sources: SecretSources): string {
  const value = sources.env[name];
  if (value === undefined)
    wrong(flag, `variable ${name} is not set`, `export ${name}, or --secret ${name}=@FILE@HOST`);
  return value;
}

function ofFile(flag: string, path: string, sources: SecretSources): string {
  let text: string;
  try {
    text = (sources.readFile ?? ((p) => readFileSync(p, 'utf8')))(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    wrong(flag, `${path} cannot be read (${code})`, 'a file that you may read');
  }
  // Editors and `echo` end a file with a newline, which is not meant.
  return text.replace(/\r?\n$/, '');
}

/** All secrets of a command line, and what stands for them in the environment inside. Throws SecretFlagError. */
export function parseSecrets(
  texts: readonly string[],
  sources: SecretSources,
): { secrets: SecretConfig[]; env: Record<string, string> } {
  if (texts.length > MOST_SECRETS)
    wrong('--secret', `given ${texts.length} times`, `at most ${MOST_SECRETS}`);
  const secrets: SecretConfig[] = [];
  for (const text of texts) {
    const secret = parseSecret(text, sources);
    if (secrets.some((s) => s.name === secret.name))
      wrong(
        `--secret ${secret.name}`,
        'given twice',
        `--secret ${secret.name}@HOST,HOST with all of its hosts`,
      );
    const twin = secrets.find((s) => s.value === secret.value);
    if (twin !== undefined)
      wrong(
        `--secret ${secret.name}`,
        `it has the same value as ${twin.name}`,
        'one secret with the hosts of both',
      );
    secrets.push(secret);
  }
  return { secrets, env: Object.fromEntries(secrets.map((s) => [s.name, s.placeholder])) };
}
