// Files inside that the runtime changes though they may be the host's: where a change would reach the host, or stay for another run, an
// empty file in memory is mounted over them first.

import { ENOENT } from '../abi/errno.ts';
import { MS_NODEV, MS_NOSUID, MS_RELATIME } from '../abi/fs/mount.ts';
import { S_IFREG } from '../abi/fs/stat.ts';
import { failed } from '../sentry/base/errno.ts';
import { HostRootFs } from '../sentry/fs/rootfs/rootfs.ts';
import { TmpfsFs } from '../sentry/fs/tmpfs/tmpfs.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import { lookupChild } from '../sentry/vfs/dentry.ts';
import { copyTree, newMount } from '../sentry/vfs/mount.ts';
import { lookup } from '../sentry/vfs/namei.ts';
import type { BootContext } from './boot_context.ts';

const NAME = 'file';

/** Makes the file at `path`, which is there, one that can be changed; 0 or -errno. */
export function coverFile(kernel: Kernel, ctx: BootContext, path: string): number {
  const at = lookup(ctx, path);
  if (failed(at)) return at;
  if (at.mount.fs instanceof HostRootFs || at.mount.fs instanceof TmpfsFs) return 0;
  const whole = newMount(new TmpfsFs(kernel.memfile, ctx, 0o755), NAME, MS_NOSUID | MS_NODEV | MS_RELATIME);
  const made = whole.root.inode!.create(ctx, NAME, S_IFREG | 0o644, 0);
  if (failed(made)) return made;
  const file = lookupChild(ctx, whole.root, NAME);
  if (failed(file)) return file;
  const { ns } = at.mount;
  return ns === null ? -ENOENT : ns.attach(copyTree(whole, file, false), at);
}
