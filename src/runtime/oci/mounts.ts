// The tree that a container sees: the bundle's root, whose changes reach the host as runc's do, and the mounts of config.json.

import { realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ENOENT, EPERM, errnoName } from '../../abi/errno.ts';
import { AT_FDCWD } from '../../abi/fs/fcntl.ts';
import { MS_RDONLY, MS_RELATIME } from '../../abi/fs/mount.ts';
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../abi/fs/stat.ts';
import { fromText } from '../../sentry/base/bytes.ts';
import { failed } from '../../sentry/base/errno.ts';
import type { BindFs } from '../../sentry/fs/bind/bindfs.ts';
import type { CgroupNumbers } from '../../sentry/fs/cgroup/numbers.ts';
import { CGROUP1_HIERARCHIES, cgroup1Fs } from '../../sentry/fs/cgroup/v1.ts';
import { cgroup2Fs } from '../../sentry/fs/cgroup/v2.ts';
import { populateDev, populateDevNet, registerMemoryDevices } from '../../sentry/fs/dev/dev.ts';
import { registerFifos } from '../../sentry/fs/pipe/fifo.ts';
import { ProcFs } from '../../sentry/fs/proc/proc.ts';
import { setSysctl } from '../../sentry/fs/proc/sysctl.ts';
import { SysFs } from '../../sentry/fs/sys/sys.ts';
import { TmpfsFs } from '../../sentry/fs/tmpfs/tmpfs.ts';
import { Devpts } from '../../sentry/fs/tty/devpts.ts';
import { MqueueFs } from '../../sentry/kernel/ipc/mqueue_fs.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import type { Task } from '../../sentry/kernel/task/task.ts';
import { TtyAdapter } from '../../sentry/kernel/tty_adapter.ts';
import { NamespaceLinks } from '../../sentry/socket/inet/namespace_links.ts';
import { registerTun } from '../../sentry/socket/tun/file.ts';
import { lookupChild } from '../../sentry/vfs/dentry.ts';
import type { FileSystem } from '../../sentry/vfs/filesystem.ts';
import { copyTree, type Mount, newMount } from '../../sentry/vfs/mount.ts';
import { MountNamespace, namespaceRoot } from '../../sentry/vfs/mount_namespace.ts';
import { lookup, lookupPath } from '../../sentry/vfs/namei.ts';
import type { Path } from '../../sentry/vfs/path.ts';
import type { BootContext } from '../boot_context.ts';
import { InodeMaker, makeDirs, makeFile } from '../files.ts';
import { STATUS_USAGE, StartError } from '../options.ts';
import { makeBindFs } from '../root_fs.ts';
import { makeDevices } from './devices.ts';
import type { Spec, SpecMount } from './spec.ts';

const DEV: SpecMount = {
  destination: '/dev',
  type: 'tmpfs',
  source: 'tmpfs',
  flags: 0,
  data: 'mode=755',
  bind: false,
  recursive: false,
};
const PTS: SpecMount = { ...DEV, destination: '/dev/pts', type: 'devpts', source: 'devpts', data: '' };

function refuse(what: string, r: number): never {
  throw new StartError(`${what}: ${errnoName(-r)}`, STATUS_USAGE);
}

/** Builds the tree of one container. */
export class ContainerTree {
  readonly ns: MountNamespace;
  readonly devpts: Devpts;
  private readonly kernel: Kernel;
  private readonly ctx: BootContext;
  private readonly binds: BindFs[];

  private readonly numbers: CgroupNumbers;

  constructor(
    kernel: Kernel,
    ctx: BootContext,
    spec: Spec,
    binds: BindFs[],
    numbers: CgroupNumbers,
    warn: (text: string) => void,
  ) {
    this.kernel = kernel;
    this.ctx = ctx;
    this.binds = binds;
    this.numbers = numbers;
    const root = this.bindFs(spec.rootPath, 'root.path');
    this.ns = new MountNamespace(newMount(root, spec.rootPath, MS_RELATIME));
    ctx.setRoot(namespaceRoot(this.ns));
    registerMemoryDevices(kernel.memfile);
    registerFifos();
    registerTun((opener) => (opener as Task).net);
    this.devpts = new Devpts(new TtyAdapter(kernel));
    this.devpts.register();
    const at = (path: string) => spec.mounts.some((m) => m.destination.replace(/\/+$/, '') === path);
    // The specification wants the standard devices in every container; a root on the host's disk gets none of them.
    if (!at('/dev')) this.mount(DEV, 'the standard devices');
    for (const [i, m] of spec.mounts.entries()) this.mount(m, `mounts[${i}]`);
    if (spec.process.terminal && !at('/dev/pts')) this.mount(PTS, 'the terminal');
    makeDevices(ctx, spec.devices, warn);
    for (const [name, value] of Object.entries(spec.sysctl)) {
      const r = setSysctl(kernel, name, value);
      if (r === -ENOENT || r === -EPERM)
        warn(
          `linux.sysctl.${name}: not set: this kernel ${r === -ENOENT ? 'has none' : 'does not let it change'}`,
        );
      else if (r < 0) refuse(`linux.sysctl.${name}: ${JSON.stringify(value)}`, r);
    }
    for (const path of spec.readonlyPaths) this.makeReadonly(path);
    for (const path of spec.maskedPaths) this.mask(path);
    makeDirs(ctx, fromText(spec.process.cwd), 0o755);
    if (!spec.rootReadonly) return;
    this.ns.root.flags |= MS_RDONLY;
    root.protect();
  }

  private bindFs(dir: string, what: string, readonly = false, only = ''): BindFs {
    const fs = makeBindFs(this.kernel, dir, null, readonly, only);
    if (failed(fs)) refuse(`${what}: ${dir}`, fs);
    this.binds.push(fs);
    return fs;
  }

  private attach(m: Mount, at: Path | number, what: string): void {
    const r = failed(at) ? at : this.ns.attach(m, at);
    if (r < 0) refuse(what, r);
  }

  /** `what` is its place in config.json. */
  private mount(m: SpecMount, what: string): void {
    const label = `${what}: ${m.destination}`;
    const target = fromText(m.destination);
    if (m.bind) {
      this.bind(m, target, label);
      return;
    }
    if (m.type === 'cgroup' && this.kernel.cgroupsV1) {
      this.cgroups(m, target, label);
      return;
    }
    if (m.type === 'proc' || m.type === 'sysfs') this.checkPlain(target, label);
    const at = makeDirs(this.ctx, target, 0o755);
    this.attach(newMount(this.fileSystem(m, label), m.source || m.type, m.flags | MS_RELATIME), at, label);
    if (m.destination.replace(/\/+$/, '') === '/dev' && m.type === 'tmpfs') this.fillDev();
  }

  /** What stands for the kernel is where it is looked for, and nowhere that an image chose: runc's mountToRootfs(). */
  private checkPlain(target: string, label: string): void {
    const at = lookupPath(this.ctx, AT_FDCWD, target, 0);
    if (!failed(at) && (at.dentry.inode!.mode & S_IFMT) === S_IFLNK)
      throw new StartError(`${label}: must be mounted on ordinary directory, and is a link`, STATUS_USAGE);
  }

  private fileSystem(m: SpecMount, what: string): FileSystem {
    const { kernel, ctx } = this;
    switch (m.type) {
      case 'proc':
        return new ProcFs(kernel);
      case 'sysfs':
        return new SysFs({ numCpu: kernel.numCpu, net: new NamespaceLinks(kernel.net) });
      case 'devpts':
        return this.devpts;
      case 'tmpfs': {
        const fs = TmpfsFs.mount(kernel.memfile, ctx, m.data);
        if (failed(fs)) refuse(`${what}: options ${m.data}`, fs);
        return fs;
      }
      case 'mqueue':
        return new MqueueFs(kernel.ipc.mqueues);
      default:
        return cgroup2Fs(this.numbers);
    }
  }

  /** Control groups of version 1: a folder of the hierarchies, as runc makes it. */
  private cgroups(m: SpecMount, target: string, label: string): void {
    const { kernel, ctx } = this;
    const flags = m.flags | MS_RELATIME;
    const folder = newMount(new TmpfsFs(kernel.memfile, ctx, 0o755), 'tmpfs', flags & ~MS_RDONLY);
    this.attach(folder, makeDirs(ctx, target, 0o755), label);
    for (const name of CGROUP1_HIERARCHIES) {
      const at = makeDirs(ctx, `${target}/${name}`, 0o755);
      this.attach(newMount(cgroup1Fs(name, this.numbers), 'cgroup', flags), at, label);
      // Each controller is found by its own name too.
      const parts = name.split(',');
      const links = new InodeMaker(ctx, folder.fs.root);
      if (parts.length > 1) for (const part of parts) links.symlink(part, name);
    }
    folder.flags = flags;
  }

  private fillDev(): void {
    const at = lookup(this.ctx, '/dev');
    if (failed(at)) refuse('/dev', at);
    const dev = at.dentry.inode!;
    const r = populateDev(new InodeMaker(this.ctx, dev), true);
    const net = dev.lookup(this.ctx, 'net');
    const s = failed(net) ? net : populateDevNet(new InodeMaker(this.ctx, net));
    if (r < 0 || s < 0) refuse('/dev', Math.min(r, s));
  }

  private bind(m: SpecMount, target: string, what: string): void {
    let source: string;
    let isDirectory: boolean;
    try {
      source = realpathSync(m.source);
      isDirectory = statSync(source).isDirectory();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StartError(`${what}: source ${m.source}: ${code}; fix: a path that exists`, STATUS_USAGE);
    }
    const flags = m.flags | MS_RELATIME;
    const readonly = (m.flags & MS_RDONLY) !== 0;
    if (isDirectory) {
      const fs = this.bindFs(source, what, readonly);
      this.attach(newMount(fs, m.source, flags), makeDirs(this.ctx, target, 0o755), what);
      return;
    }
    // A file: its directory's file system, of which the mount shows one entry.
    const dir = this.bindFs(dirname(source), what, readonly, basename(source));
    const whole = newMount(dir, m.source, flags);
    const file = lookupChild(this.ctx, whole.root, fromText(basename(source)));
    if (failed(file)) refuse(`${what}: source ${m.source}`, file);
    this.attach(copyTree(whole, file, false), makeFile(this.ctx, target), what);
  }

  /** linux.readonlyPaths; what is not there need not be made so. */
  private makeReadonly(path: string): void {
    const at = lookup(this.ctx, fromText(path));
    if (failed(at)) return;
    const m = copyTree(at.mount, at.dentry, true);
    m.flags |= MS_RDONLY;
    this.attach(m, at, `linux.readonlyPaths: ${path}`);
  }

  /** linux.maskedPaths: directories become empty, files /dev/null. */
  private mask(path: string): void {
    const at = lookup(this.ctx, fromText(path));
    if (failed(at)) return;
    const what = `linux.maskedPaths: ${path}`;
    if ((at.dentry.inode!.mode & S_IFMT) === S_IFDIR) {
      this.attach(newMount(new TmpfsFs(this.kernel.memfile, this.ctx, 0o755), 'tmpfs', MS_RDONLY), at, what);
      return;
    }
    const none = lookup(this.ctx, '/dev/null');
    if (failed(none)) refuse(what, none);
    this.attach(copyTree(none.mount, none.dentry, false), at, what);
  }
}
