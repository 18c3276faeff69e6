// The tree that the guest sees: the root, the kernel's own file systems, and what the options mount.

import { realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoName } from '../abi/errno.ts';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME } from '../abi/fs/mount.ts';
import { fromText, hostPath } from '../sentry/base/bytes.ts';
import { failed } from '../sentry/base/errno.ts';
import type { BindFs } from '../sentry/fs/bind/bindfs.ts';
import { populateDev, populateDevNet, registerMemoryDevices } from '../sentry/fs/dev/dev.ts';
import { registerFifos } from '../sentry/fs/pipe/fifo.ts';
import { ProcFs } from '../sentry/fs/proc/proc.ts';
import type { HiddenFiles } from '../sentry/fs/rootfs/hidden.ts';
import { SysFs } from '../sentry/fs/sys/sys.ts';
import { TmpfsFs } from '../sentry/fs/tmpfs/tmpfs.ts';
import { Devpts } from '../sentry/fs/tty/devpts.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { Task } from '../sentry/kernel/task/task.ts';
import { TtyAdapter } from '../sentry/kernel/tty_adapter.ts';
import { NamespaceLinks } from '../sentry/socket/inet/namespace_links.ts';
import { registerTun } from '../sentry/socket/tun/file.ts';
import { lookupChild } from '../sentry/vfs/dentry.ts';
import type { FileSystem } from '../sentry/vfs/filesystem.ts';
import { copyTree, newMount } from '../sentry/vfs/mount.ts';
import { MountNamespace, namespaceRoot } from '../sentry/vfs/mount_namespace.ts';
import type { BootContext } from './boot_context.ts';
import { InodeMaker, makeDirs, makeFile } from './files.ts';
import { type MountOption, STATUS_USAGE, StartError } from './options.ts';
import { makeBindFs, makeRootFs } from './root_fs.ts';

const KERNEL_FS = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
const SHM_MODE = 0o1777;

/** For people, what the host says most often of a path. */
const HOST_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory on this machine; fix: a path that exists',
  EACCES: 'permission denied; fix: a path that this user may read',
  ENOTDIR: 'not a directory; fix: the path of a directory of this machine',
  ELOOP: 'too many symbolic links; fix: the path that they lead to',
  ENAMETOOLONG: 'the name is too long; fix: a shorter path',
};

/** The same of a place inside at which something shall be mounted. */
const TARGET_ERRORS: Readonly<Record<string, string>> = {
  ENOTDIR: 'inside, that or a part of it is a file; fix: a directory, or a path that does not exist yet',
  EISDIR: 'inside, that is a directory, which no file can replace; fix: a file in it, as DIR/NAME',
  EEXIST: 'inside, a symbolic link there leads nowhere; fix: the path that it shall lead to',
};
const NO_PLACE = 'nothing can be made there; fix: another path inside';

/** The caller's mistake in an option that names a path of the host. */
function refusedPath(option: string, path: string, error: string): StartError {
  const home = error === 'ENOENT' && path.includes('/~') ? ' (the shell left ~ as it is: write $HOME)' : '';
  return new StartError(`${option} ${path}: ${HOST_ERRORS[error] ?? error}${home}`, STATUS_USAGE);
}

/** The same for a place inside; `r` is -errno. */
function refusedTarget(option: string, r: number): StartError {
  const error = errnoName(-r);
  return new StartError(`${option}: ${TARGET_ERRORS[error] ?? `${error}: ${NO_PLACE}`}`, STATUS_USAGE);
}

/** True for a directory of the host; throws StartError when the path cannot be used. */
function isHostDirectory(option: string, path: string): boolean {
  try {
    return statSync(hostPath(path)).isDirectory();
  } catch (error) {
    throw refusedPath(option, path, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

/** The file system of a directory of the host that an option names. */
function hostTree(
  kernel: Kernel,
  option: string,
  path: string,
  dir: string,
  hidden: HiddenFiles,
  only = '',
): FileSystem {
  const fs = makeRootFs(kernel, dir, hidden, only);
  if (failed(fs)) throw refusedPath(option, path, errnoName(-fs));
  return fs;
}

/** Mounts `fs` at `path`, which is made when it does not exist; `option` is who wants it. */
function mountAt(
  ns: MountNamespace,
  ctx: BootContext,
  fs: FileSystem,
  path: string,
  flags: number,
  option: string,
): void {
  const at = makeDirs(ctx, path, 0o755);
  const r = failed(at) ? at : ns.attach(newMount(fs, fs.name, flags), at);
  if (r < 0) throw refusedTarget(option, r);
}

/** Mounts the root, as `over` has it, and makes paths work for `ctx`. Throws StartError when the directory cannot be used. */
export function mountRoot(
  kernel: Kernel,
  ctx: BootContext,
  rootfs: string,
  hidden: HiddenFiles,
  over: (lower: FileSystem) => FileSystem = (lower) => lower,
): MountNamespace {
  if (!isHostDirectory('--rootfs', rootfs)) throw refusedPath('--rootfs', rootfs, 'ENOTDIR');
  const fs = over(hostTree(kernel, '--rootfs', rootfs, rootfs, hidden));
  const ns = new MountNamespace(newMount(fs, 'rootfs', MS_RELATIME));
  ctx.setRoot(namespaceRoot(ns));
  return ns;
}

/** /proc, /sys, /dev with pts and shm, and /tmp when the root has none. */
export function mountKernelFs(kernel: Kernel, ctx: BootContext, ns: MountNamespace): Devpts {
  registerMemoryDevices(kernel.memfile);
  registerFifos();
  registerTun((opener) => (opener as Task).net);
  const mount = (fs: FileSystem, path: string, flags: number) =>
    mountAt(ns, ctx, fs, path, flags, `--rootfs: ${path}`);
  mount(new ProcFs(kernel), '/proc', KERNEL_FS);
  mount(
    new SysFs({ numCpu: kernel.numCpu, net: new NamespaceLinks(kernel.net) }),
    '/sys',
    KERNEL_FS | MS_RDONLY,
  );
  const dev = new TmpfsFs(kernel.memfile, ctx, 0o755);
  mount(dev, '/dev', MS_NOSUID | MS_RELATIME);
  const r = populateDev(new InodeMaker(ctx, dev.root), true);
  const net = dev.root.lookup(ctx, 'net');
  const s = failed(net) ? net : populateDevNet(new InodeMaker(ctx, net));
  if (r < 0 || s < 0) throw new Error(`/dev: ${errnoName(-Math.min(r, s))}`);
  const devpts = new Devpts(new TtyAdapter(kernel));
  devpts.register();
  mount(devpts, '/dev/pts', MS_NOSUID | MS_NOEXEC | MS_RELATIME);
  mount(new TmpfsFs(kernel.memfile, ctx, SHM_MODE), '/dev/shm', MS_NOSUID | MS_NODEV | MS_RELATIME);
  // A root in which it is something else, such as a link that leads nowhere, has it so.
  makeDirs(ctx, '/tmp', SHM_MODE);
  return devpts;
}

/** What --tmpfs asks for, then --mount and --bind in the order given. Those that write to the host go to `binds`. */
export function mountExtra(
  kernel: Kernel,
  ctx: BootContext,
  ns: MountNamespace,
  tmpfs: readonly string[],
  mounts: readonly MountOption[],
  hidden: HiddenFiles,
  binds: BindFs[],
): void {
  for (const path of tmpfs)
    mountAt(
      ns,
      ctx,
      new TmpfsFs(kernel.memfile, ctx, SHM_MODE),
      fromText(path),
      MS_NOSUID | MS_NODEV | MS_RELATIME,
      `--tmpfs ${path}`,
    );
  for (const m of mounts) mountHostPath(kernel, ctx, ns, m, hidden, binds);
}

/** Shows a file or directory of the host at a place that is made when it does not exist. */
function mountHostPath(
  kernel: Kernel,
  ctx: BootContext,
  ns: MountNamespace,
  m: MountOption,
  hidden: HiddenFiles,
  binds: BindFs[],
): void {
  const flag = m.shared ? '--bind' : '--mount';
  const isDirectory = isHostDirectory(flag, m.source);
  const flags = MS_NOSUID | MS_NODEV | MS_RELATIME | (m.readonly ? MS_RDONLY : 0);
  const target = fromText(m.target);
  const option = `${flag} ${m.source}:${m.target}`;
  const treeOf = (dir: string, only = ''): FileSystem => {
    if (!m.shared) return hostTree(kernel, flag, m.source, dir, hidden, only);
    const secret = hidden.over(dir) ?? (isDirectory ? null : hidden.over(m.source));
    if (secret !== null)
      throw new StartError(`${option}: ${secret} is hidden; fix: bind something else`, STATUS_USAGE);
    const fs = makeBindFs(kernel, dir, hidden.any ? hidden : null, m.readonly, only);
    if (failed(fs)) throw refusedPath(flag, m.source, errnoName(-fs));
    binds.push(fs);
    return fs;
  };
  if (isDirectory) {
    mountAt(ns, ctx, treeOf(m.source), target, flags, option);
    return;
  }
  // A file: its directory's file system, of which the mount shows one entry. What is bound is no link to it.
  const path = m.shared ? realpathSync(m.source) : m.source;
  const whole = newMount(treeOf(dirname(path), basename(path)), m.source, flags);
  const file = lookupChild(ctx, whole.root, fromText(basename(path)));
  if (failed(file)) throw refusedPath(flag, m.source, errnoName(-file));
  const at = makeFile(ctx, target);
  const r = failed(at) ? at : ns.attach(copyTree(whole, file, false), at);
  if (r < 0) throw refusedTarget(option, r);
}
