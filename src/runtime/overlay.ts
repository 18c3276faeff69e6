// --overlay DIR: what a run writes is kept in a directory of the host, and the next run finds it. DIR holds `upper`, what was changed,
// `work`, where it is made ready, and `lock`, which one sandbox at a time has. Loaded only when asked for.

import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EAGAIN, EOPNOTSUPP, errnoName } from '../abi/errno.ts';
import { SYS_flock } from '../abi/syscall.ts';
import { hostCall } from '../host/syscall.ts';
import { hostPath } from '../sentry/base/bytes.ts';
import { failed } from '../sentry/base/errno.ts';
import type { BindFs } from '../sentry/fs/bind/bindfs.ts';
import { OverlayFs } from '../sentry/fs/overlay/overlayfs.ts';
import type { HiddenFiles } from '../sentry/fs/rootfs/hidden.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { FileSystem } from '../sentry/vfs/filesystem.ts';
import type { BootContext } from './boot_context.ts';
import { STATUS_USAGE, StartError } from './options.ts';
import { makeBindFs } from './root_fs.ts';

/** flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;
const OWN_NAMES = ['lock', 'upper', 'work'];
/** Only the caller's: what a program inside may do with a file does not count outside. */
const PRIVATE = 0o700;

function wrong(dir: string, what: string): StartError {
  return new StartError(`--overlay ${dir}: ${what}`, STATUS_USAGE);
}

const FIXES: Readonly<Record<string, string>> = {
  ENOENT: 'the directory that it shall be made in does not exist; fix: make that first',
  ENOTDIR: 'not a directory; fix: the path of a directory, or one that does not exist yet',
  EACCES: 'permission denied; fix: a directory that this user may write',
  EPERM: 'permission denied; fix: a directory that this user may write',
  EROFS: 'it cannot be written; fix: a directory that this user may write',
};

function refused(dir: string, error: unknown): StartError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return wrong(dir, FIXES[code] ?? `${code}; fix: another directory`);
}

/** The directory as it really lies, made when it does not exist. */
function makeDirectory(dir: string): string {
  const path = hostPath(dir);
  try {
    mkdirSync(path, PRIVATE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refused(dir, error);
  }
  try {
    if (!statSync(path).isDirectory()) throw wrong(dir, FIXES.ENOTDIR!);
    const names = readdirSync(path);
    if (names.length > 0 && !names.includes('upper') && !names.every((name) => OWN_NAMES.includes(name)))
      throw wrong(
        dir,
        'there are other files in it; fix: an empty directory, or one that does not exist yet',
      );
    return realpathSync(path);
  } catch (error) {
    throw error instanceof StartError ? error : refused(dir, error);
  }
}

/** Has the directory for this process, as long as that lives; nobody inherits the lock. */
function lock(dir: string, path: string): void {
  let fd: number;
  try {
    fd = openSync(join(path, 'lock'), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw refused(dir, error);
  }
  const r = hostCall(SYS_flock, fd, LOCK_EX | LOCK_NB);
  if (r === 0) {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
    return;
  }
  const text = Buffer.alloc(16);
  const n = readSync(fd, text, 0, text.length, 0);
  closeSync(fd);
  const pid = text.toString('latin1', 0, n).trim();
  if (r === -EAGAIN)
    throw wrong(
      dir,
      `process ${pid} runs a sandbox with it; fix: wait for its end, or take another directory`,
    );
  throw refused(dir, { code: errnoName(-r) });
}

/** True when `path` is `top` or below it. */
function isWithin(path: string, top: string): boolean {
  return path === top || path.startsWith(top === '/' ? top : `${top}/`);
}

export interface KeptLayer {
  /** What it really is called on the host: nobody inside may see it as part of the lower tree. */
  readonly path: string;
  /** Has what a run writes over `lower` kept; puts the file system that writes to the host into `binds`. */
  over(kernel: Kernel, ctx: BootContext, lower: FileSystem, binds: BindFs[]): FileSystem;
}

/** Makes and locks the directory. Throws StartError when it cannot be used. */
export function openLayer(dir: string, rootfs: string, hidden: HiddenFiles): KeptLayer {
  const above = dirname(dir);
  for (const path of [dir, above]) {
    const secret = exists(path) ? hidden.within(path) : null;
    if (secret !== null && (path === dir || isWithin(realpathSync(hostPath(path)) as string, secret)))
      throw wrong(dir, `${secret} is hidden; fix: a directory outside of it`);
  }
  const path = makeDirectory(dir);
  if (exists(rootfs) && isWithin(realpathSync(hostPath(rootfs)) as string, path))
    throw wrong(dir, `the root, ${rootfs}, lies in it; fix: a directory outside of the root, or in it`);
  lock(dir, path);
  try {
    for (const name of ['upper', 'work']) mkdirSync(join(path, name), { recursive: true, mode: PRIVATE });
  } catch (error) {
    throw refused(dir, error);
  }
  return { path, over: (kernel, ctx, lower, binds) => makeOverlay(dir, path, kernel, ctx, lower, binds) };
}

function exists(path: string): boolean {
  try {
    statSync(hostPath(path));
    return true;
  } catch {
    return false;
  }
}

function makeOverlay(
  dir: string,
  path: string,
  kernel: Kernel,
  ctx: BootContext,
  lower: FileSystem,
  binds: BindFs[],
): FileSystem {
  const fs = makeBindFs(kernel, path);
  if (failed(fs)) throw refused(dir, { code: errnoName(-fs) });
  const upper = fs.root.lookup(ctx, 'upper');
  const work = fs.root.lookup(ctx, 'work');
  if (failed(upper) || failed(work))
    throw refused(dir, { code: errnoName(-Math.min(Number(upper), Number(work))) });
  const union = OverlayFs.create(ctx, lower.root, upper, work);
  if (union === -EOPNOTSUPP)
    throw wrong(
      dir,
      'its file system keeps no extended attributes of users; fix: a directory on ext4, xfs or btrfs, or on tmpfs of Linux 6.6 and newer',
    );
  if (failed(union)) throw refused(dir, { code: errnoName(-union) });
  binds.push(fs);
  return union;
}
