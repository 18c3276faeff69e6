// Who the sandbox runs as: passwd(5) and group(5) inside the guest's tree, or the invoking user; and as what its variables tell.

import { SYS_getgroups } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { hostCall } from '../host/syscall.ts';
import { toText } from '../sentry/base/bytes.ts';
import { type Cred, credFor } from '../sentry/base/cred.ts';
import { failed } from '../sentry/base/errno.ts';
import type { VfsContext } from '../sentry/vfs/context.ts';
import { lookup } from '../sentry/vfs/namei.ts';
import { kindOf, readText } from './files.ts';
import { STATUS_USAGE, StartError } from './options.ts';

const ID_MAX = 0xffff_fffe;

function idOf(text: string): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= ID_MAX ? id : null;
}

/** Fields of the lines of a file such as /etc/passwd; none when it cannot be read. */
function records(ctx: VfsContext, path: string): string[][] {
  const text = readText(ctx, path);
  if (typeof text === 'number') return [];
  return text.split('\n').map((line) => line.split(':'));
}

/** Groups whose member list names the user. */
function groupsOf(ctx: VfsContext, user: string): number[] {
  const out: number[] = [];
  for (const [, , gid, members] of records(ctx, '/etc/group')) {
    const id = idOf(gid ?? '');
    if (id !== null && (members ?? '').split(',').includes(user)) out.push(id);
  }
  return out;
}

/** Somebody inside: ids, and what login(1) would set in the environment. */
export interface Identity {
  readonly cred: Cred;
  /** HOME, LOGNAME, SHELL and USER; null for one that nobody can tell. */
  readonly variables: Readonly<Record<string, string | null>>;
}

/** getgroups(2) of the caller; Node.js's own adds the effective group, which a program would keep when it changes that. */
function callersGroups(): number[] {
  const count = hostCall(SYS_getgroups, 0, 0);
  if (count <= 0) return [];
  const list = HostBuffer.alloc(4 * count);
  const n = hostCall(SYS_getgroups, count, list.addr);
  return Array.from({ length: Math.max(n, 0) }, (_, i) => list.view.getUint32(4 * i, true));
}

/** The invoking user's ids for `user` null, else those of `--user`. Throws StartError for names that the guest does not know. */
export function identityOf(ctx: VfsContext, user: string | null): Identity {
  if (user === null)
    return { cred: credFor(process.getuid!(), process.getgid!(), callersGroups()), variables: {} };
  const [name = '', group] = user.split(':');
  const passwd = records(ctx, '/etc/passwd');
  const entry = passwd.find((r) => r[0] === name) ?? passwd.find((r) => r[2] === name && r.length > 3);
  const uid = idOf(entry?.[2] ?? name);
  if (uid === null) {
    const at = lookup(ctx, '/etc/passwd');
    if (!failed(at) && kindOf(at) !== 'a file')
      throw new StartError(
        `--user ${name}: inside, /etc/passwd is ${kindOf(at)}; fix: a number, or a file there`,
        STATUS_USAGE,
      );
    throw new StartError(
      `--user ${name}: no such user inside; fix: a name of /etc/passwd there, or a number`,
      STATUS_USAGE,
    );
  }
  const login = entry === undefined ? null : toText(entry[0]!);
  const variables = {
    HOME: toText(entry?.[5] || '/'),
    LOGNAME: login,
    SHELL: toText(entry?.[6] || '/bin/sh'),
    USER: login,
  };
  if (group === undefined) {
    const gid = idOf(entry?.[3] ?? '') ?? 0;
    return { cred: credFor(uid, gid, entry === undefined ? [] : groupsOf(ctx, entry[0]!)), variables };
  }
  const gid = idOf(group) ?? idOf(records(ctx, '/etc/group').find((r) => r[0] === group)?.[2] ?? '');
  if (gid === null)
    throw new StartError(
      `--user ${user}: no such group inside; fix: a name of /etc/group there, or a number`,
      STATUS_USAGE,
    );
  return { cred: credFor(uid, gid, []), variables };
}

/** Variables `names` of `env` become those of `identity`; the others stay. */
export function envOf(env: readonly string[], names: readonly string[], identity: Identity): string[] {
  const kept = env.filter((entry) => !names.some((name) => entry.startsWith(`${name}=`)));
  for (const name of names) {
    const value = identity.variables[name] ?? null;
    if (value !== null) kept.push(`${name}=${value}`);
  }
  return kept;
}
