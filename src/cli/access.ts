// What of this machine a program gets: `--access open` is everything that its user has; `--access code` is for programs that
// nobody has read. A file can say the same (`--profile-file`), from either on.

import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { STATUS_USAGE, StartError } from '../runtime/options.ts';
import { toText } from '../sentry/base/bytes.ts';

export interface Access {
  /** Names of variables that are handed on, with * for any characters. */
  readonly passEnv: readonly string[];
  /** Variables that are set, whatever the caller has. */
  readonly env: Readonly<Record<string, string>>;
  /** Paths of this machine that are not there inside. */
  readonly hide: readonly string[];
  /** Absolute paths inside of empty directories in memory. */
  readonly tmpfs: readonly string[];
}

/** Where programs of a user keep keys, passwords, tokens and what was typed, below a home directory. */
const SECRETS: readonly string[] = [
  ...[
    '.ssh',
    '.gnupg',
    '.pki',
    '.password-store',
    '.local/share/keyrings',
    '.config',
    '.vault-token',
    '.netrc',
  ],
  ...['.aws', '.azure', '.boto', '.s3cfg', '.kube', '.docker', '.terraform.d', '.terraformrc', '.oci'],
  ...[
    '.git-credentials',
    '.npmrc',
    '.yarnrc.yml',
    '.pypirc',
    '.cargo/credentials',
    '.cargo/credentials.toml',
  ],
  ...['.gem/credentials', '.m2/settings.xml', '.gradle/gradle.properties', '.pgpass', '.my.cnf'],
  ...['.mozilla', '.thunderbird', '.cache/mozilla', '.claude', '.claude.json', '.codex'],
  ...['.bash_history', '.zsh_history', '.python_history', '.node_repl_history', '.psql_history', '.lesshst'],
];

/** The same of the machine itself, and the ways to its services. */
const MACHINE: readonly string[] = [
  ...[
    '/etc/shadow',
    '/etc/shadow-',
    '/etc/gshadow',
    '/etc/gshadow-',
    '/etc/sudoers',
    '/etc/sudoers.d',
    '/etc/ssh',
  ],
  ...[
    '/etc/ssl/private',
    '/etc/kubernetes',
    '/run/secrets',
    '/var/run/secrets',
    '/run/user',
    '/run/credentials',
  ],
  ...[
    '/run/docker.sock',
    '/var/run/docker.sock',
    '/run/containerd',
    '/run/podman',
    '/run/dbus',
    '/run/systemd/private',
  ],
  ...['/var/lib/docker', '/var/lib/containerd', '/var/lib/kubelet'],
];

const CODE_HOME = '/home/code';

/** Home directories: the caller's, and all that it could read as root. */
function homes(): string[] {
  const found = new Set<string>([homedir()]);
  if (process.getuid!() === 0) found.add('/root');
  try {
    for (const name of readdirSync('/home')) found.add(join('/home', name));
  } catch {
    // This machine has none.
  }
  return [...found].filter((home) => home !== '/' && home !== '');
}

function namedAccess(name: string): Access {
  switch (name) {
    case 'open':
      return { passEnv: ['*'], env: {}, hide: [], tmpfs: [] };
    case 'code':
      return {
        passEnv: ['TERM', 'COLORTERM', 'NO_COLOR', 'FORCE_COLOR', 'COLUMNS', 'LINES', 'TZ'],
        env: {
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          HOME: CODE_HOME,
          LANG: 'C.UTF-8',
        },
        hide: [...homes().flatMap((home) => SECRETS.map((path) => join(home, path))), ...MACHINE],
        tmpfs: [CODE_HOME],
      };
    default:
      throw new StartError(`--access ${name}: unknown; fix: open, or code`, STATUS_USAGE);
  }
}

const FIELDS = ['extends', 'passEnv', 'env', 'hide', 'tmpfs'];

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
}

/** The profile in a file of JSON. Each complaint names the field, and what it would take. */
function readProfile(file: string): Access {
  const wrong = (what: string): never => {
    throw new StartError(`--profile-file ${file}: ${what}`, STATUS_USAGE);
  };
  let fields: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) fields = value as typeof fields;
    else wrong('not an object; fix: { "extends": "code", "hide": ["~/private"] }');
  } catch (error) {
    if (error instanceof StartError) throw error;
    wrong((error as Error).message);
  }
  for (const name of Object.keys(fields))
    if (!FIELDS.includes(name)) wrong(`"${name}": unknown; fix: one of ${FIELDS.join(', ')}`);
  const base = fields.extends ?? 'open';
  if (base !== 'open' && base !== 'code') wrong(`"extends": ${JSON.stringify(base)}; fix: "open" or "code"`);
  const { passEnv, env, hide, tmpfs } = namedAccess(base as string);
  const texts = (name: string): string[] => {
    const value = fields[name] ?? [];
    return isTexts(value) ? value : wrong(`"${name}": not a list of texts`);
  };
  const set = fields.env ?? {};
  if (
    typeof set !== 'object' ||
    set === null ||
    !isTexts(Object.values(set).map((v) => (v === '' ? ' ' : v)))
  )
    wrong('"env": not an object of texts; fix: { "LANG": "C.UTF-8" }');
  for (const path of texts('tmpfs'))
    if (!path.startsWith('/')) wrong(`"tmpfs": ${path}: must be an absolute path inside`);
  return {
    passEnv: fields.passEnv === undefined ? passEnv : texts('passEnv'),
    env: { ...env, ...(set as Record<string, string>) },
    hide: [...hide, ...texts('hide').map((path) => hiddenPath(path))],
    tmpfs: [...tmpfs, ...texts('tmpfs')],
  };
}

/** "~/x" is in the caller's home; all else must be absolute. */
export function hiddenPath(path: string): string {
  if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1));
  if (!path.startsWith('/'))
    throw new StartError(`--hide ${path}: not absolute; fix: /${path} or ~/${path}`, STATUS_USAGE);
  return join(path);
}

/** What `--access NAME` and `--profile-file FILE` give; null where a flag was not there. */
export function accessOf(name: string | null, file: string | null): Access {
  if (name !== null && file !== null)
    throw new StartError(
      `--access ${name}: not with --profile-file; fix: "extends": "${name}" in that file`,
      STATUS_USAGE,
    );
  return file === null ? namedAccess(name ?? 'open') : readProfile(file);
}

/**
 * Lines of an --env-file: NAME=VALUE, NAME alone for one of the caller's, # for comments. Values are taken as they are, quotes too, as
 * Docker takes them.
 */
export function readEnvFile(file: string): string[] {
  let text: string;
  try {
    text = toText(readFileSync(file, 'latin1'));
  } catch (error) {
    throw new StartError(`--env-file ${file}: ${(error as Error).message}`, STATUS_USAGE);
  }
  const lines = text.split('\n').map((line) => line.replace(/^\s+|\r$/g, ''));
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line, i) => {
      if (!/^[^=\s]+(=|$)/.test(line))
        throw new StartError(
          `--env-file ${file}: "${line}" (variable ${i + 1}): fix: NAME=VALUE`,
          STATUS_USAGE,
        );
      return line;
    });
}

/** The flags of `do` that this is about, by their names in doOptions. */
export interface AccessFlags {
  readonly access?: string;
  readonly profileFile?: string;
  readonly hide?: readonly string[];
  readonly passEnv?: readonly string[];
  readonly envFile?: readonly string[];
  readonly clearEnv?: boolean;
}

/** What all of these flags come to; `hostFile` makes paths of files absolute. `set` is what -e adds to, in order. */
export function readAccess(
  flags: AccessFlags,
  hostFile: (path: string) => string,
): Access & { readonly set: readonly string[] } {
  const { profileFile, passEnv = [] } = flags;
  const base = accessOf(flags.access ?? null, profileFile === undefined ? null : hostFile(profileFile));
  const files = (flags.envFile ?? []).flatMap((file) => readEnvFile(hostFile(file)));
  return {
    ...base,
    passEnv: passEnv.length > 0 ? passEnv : flags.clearEnv === true ? [] : base.passEnv,
    hide: [...base.hide, ...(flags.hide ?? []).map(hiddenPath)],
    set: [...Object.entries(base.env).map(([name, value]) => `${name}=${value}`), ...files],
  };
}
