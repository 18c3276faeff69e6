// The root file system, and every other host directory or file that the guest sees.

import { fromText } from '../sentry/base/bytes.ts';
import { BindFs } from '../sentry/fs/bind/bindfs.ts';
import type { HiddenFiles } from '../sentry/fs/rootfs/hidden.ts';
import { HostRootFs } from '../sentry/fs/rootfs/rootfs.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { FileSystem } from '../sentry/vfs/filesystem.ts';

/** The tree below a host directory, or of it `only` that name, with an in-memory layer that takes all changes; -errno. */
export function makeRootFs(
  kernel: Kernel,
  path: string,
  hidden: HiddenFiles,
  only = '',
): FileSystem | number {
  return HostRootFs.create(kernel.memfile, fromText(path), hidden, fromText(only));
}

/**
 * The tree below a host directory, without what is hidden, whose changes reach the host unless it is `readonly`; nothing but `only` of
 * the directory is used if that is not ''. -errno.
 */
export function makeBindFs(
  kernel: Kernel,
  path: string,
  hidden: HiddenFiles | null = null,
  readonly = false,
  only = '',
): BindFs | number {
  return BindFs.create(kernel.memfile, fromText(path), hidden, readonly, fromText(only));
}
