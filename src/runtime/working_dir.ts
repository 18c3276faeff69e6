// The working directory of the first program: --cwd, or the caller's own, which it never leaves without being told.

import { EACCES } from '../abi/errno.ts';
import { S_IFDIR, S_IFMT } from '../abi/fs/stat.ts';
import { fromText } from '../sentry/base/bytes.ts';
import { failed } from '../sentry/base/errno.ts';
import { TmpfsFs } from '../sentry/fs/tmpfs/tmpfs.ts';
import type { MemoryFile } from '../sentry/memfile/memfile.ts';
import { Dentry } from '../sentry/vfs/dentry.ts';
import { lookup } from '../sentry/vfs/namei.ts';
import { Path } from '../sentry/vfs/path.ts';
import type { BootContext } from './boot_context.ts';
import { type SandboxOptions, STATUS_USAGE, StartError } from './options.ts';

function isDirectory(found: Path | number): found is Path {
  return !failed(found) && (found.dentry.inode!.mode & S_IFMT) === S_IFDIR;
}

/** The place inside; `ctx` is the first program's, `root` may go everywhere. Throws StartError where there is none. */
export function workingDirectory(
  ctx: BootContext,
  root: BootContext,
  memfile: MemoryFile,
  options: SandboxOptions,
): Path {
  const { cwd, inherited, rootfs } = options;
  if (cwd !== null) {
    const found = lookup(ctx, fromText(cwd));
    if (isDirectory(found)) return found;
    throw new StartError(
      `--cwd ${cwd}: no such directory inside; fix: one that exists, or --tmpfs ${cwd}`,
      STATUS_USAGE,
    );
  }
  if (inherited.cwd === null)
    throw new StartError(
      'the working directory was removed; fix: go to another one, or --cwd DIR',
      STATUS_USAGE,
    );
  const path = fromText(inherited.cwd);
  const found = lookup(root, path);
  if (isDirectory(found)) return found;
  // In another tree the caller's place means nothing.
  if (rootfs !== '/') return root.fs.root;
  if (found === -EACCES) return closedDirectory(root, memfile, path);
  throw new StartError(
    `the working directory ${inherited.cwd} is not there inside; fix: --cwd DIR`,
    STATUS_USAGE,
  );
}

/**
 * A caller may be where it could not go (su, setpriv): it has the place, and nothing that is in it. Such a place is an empty
 * directory that nobody else finds.
 */
function closedDirectory(root: BootContext, memfile: MemoryFile, path: string): Path {
  const names = path.split('/').filter((name) => name !== '');
  const missing: string[] = [];
  let above: Path | number = -EACCES;
  while (failed(above) && names.length > 0) {
    missing.unshift(names.pop()!);
    above = lookup(root, `/${names.join('/')}`);
  }
  const at = failed(above) ? root.fs.root : above;
  let { dentry } = at;
  for (const name of missing) {
    const inode = new TmpfsFs(memfile, root, 0o700).root;
    dentry = new Dentry(inode.fs, name, dentry, inode);
  }
  return new Path(at.mount, dentry);
}
