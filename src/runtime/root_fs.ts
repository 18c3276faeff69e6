// The root file system from a directory of the host.

import { readFileSync } from 'node:fs';
import { S_IFREG } from '../abi/stat.ts';
import { failed } from '../sentry/base/errno.ts';
import { KernelIo } from '../sentry/base/io.ts';
import { TmpfsFs } from '../sentry/fs/tmpfs/tmpfs.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { FileSystem } from '../sentry/vfs/filesystem.ts';
import type { BootContext } from './boot_context.ts';

// Until fs/rootfs exists: a tmpfs with copies of the files named in VEDETTE_SLICE.
export function makeRootFs(kernel: Kernel, ctx: BootContext, _path: string): FileSystem | number {
  const fs = new TmpfsFs(kernel.memfile, ctx, 0o755);
  for (const file of (process.env.VEDETTE_SLICE ?? '').split(':')) {
    if (file === '') continue;
    let dir = fs.root;
    const parts = file.split('/').filter((p) => p !== '');
    for (const part of parts.slice(0, -1)) {
      let next = dir.lookup(ctx, part);
      if (failed(next)) next = dir.mkdir(ctx, part, 0o755);
      if (failed(next)) return next;
      dir = next;
    }
    const made = dir.create(ctx, parts.at(-1)!, S_IFREG | 0o755, 0);
    if (failed(made)) return made;
    const bytes = readFileSync(file);
    const open = made.open(ctx, 2);
    if (failed(open)) return open;
    open.pwrite(ctx, new KernelIo(new Uint8Array(bytes)), 0);
    open.unref();
  }
  return fs;
}
