// sysfs: the little of /sys that language runtimes and core utilities read: CPUs, huge pages, network interfaces, an
// empty cgroup mount point. sysfs(5).

import { EIO } from '../../../abi/errno.ts';
import { SYSFS_MAGIC } from '../../../abi/fs/magic.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { StaticDirInode, StaticSymlinkInode, SyntheticFs, TextFileInode } from '../../vfs/synthetic.ts';
import { NetClassDir, NetDevicesDir, type SysNetwork } from './net_class.ts';

/** All its inodes, once somebody has looked. */
export const SYS_BYTES = 131072;

export interface SysOptions {
  readonly numCpu: number;
  /** The network namespace that it shows. */
  readonly net: SysNetwork;
}

/** A tree of files with fixed texts, made from paths. */
class TreeBuilder {
  readonly fs: SysFs;
  private readonly root: StaticDirInode;

  constructor(fs: SysFs, root: StaticDirInode) {
    this.fs = fs;
    this.root = root;
  }

  /** The directory at `path`, made with those above it. */
  dir(path: string): StaticDirInode {
    let at = this.root;
    for (const name of path.split('/')) {
      const there = at.table.get(name);
      at = there instanceof StaticDirInode ? there : at.add(name, new StaticDirInode(this.fs, 0o755));
    }
    return at;
  }

  file(path: string, text: string, mode = 0o444): void {
    const slash = path.lastIndexOf('/');
    const inode = new TextFileInode(this.fs, mode, () => `${text}\n`, mode === 0o444 ? null : () => -EIO);
    this.dir(path.slice(0, slash)).add(path.slice(slash + 1), inode);
  }

  link(path: string, target: string): void {
    const slash = path.lastIndexOf('/');
    this.dir(path.slice(0, slash)).add(path.slice(slash + 1), new StaticSymlinkInode(this.fs, target));
  }
}

function cpuRange(n: number): string {
  return n === 1 ? '0' : `0-${n - 1}`;
}

/** CPUs 0..n-1 as sysfs masks have them: 32-bit groups, the highest first. */
function maskOf(first: number, last: number, total: number): string {
  const groups: string[] = [];
  for (let base = 0; base < total; base += 32) {
    const bits = Math.min(32, total - base);
    let word = 0;
    for (let i = 0; i < bits; i++) if (base + i >= first && base + i <= last) word |= 1 << i;
    groups.unshift((word >>> 0).toString(16).padStart(Math.ceil(bits / 4), '0'));
  }
  return groups.join(',');
}

export class SysFs extends SyntheticFs {
  readonly net: SysNetwork;
  private readonly payer: Account;

  constructor(options: SysOptions) {
    super('sysfs', SYSFS_MAGIC);
    this.payer = kernelMemory.take(SYS_BYTES);
    this.net = options.net;
    const root: StaticDirInode = new StaticDirInode(this, 0o555, () =>
      fillRoot(new TreeBuilder(this, root), options.numCpu, options.net),
    );
    this.setRoot(root);
  }

  override release(): void {
    kernelMemory.give(this.payer, SYS_BYTES);
  }
}

function fillRoot(tree: TreeBuilder, numCpu: number, net: SysNetwork): void {
  for (const name of ['block', 'bus', 'class', 'dev', 'firmware', 'module', 'power']) tree.dir(name);
  tree.dir('bus/cpu');
  // Container tools mount cgroups here.
  tree.dir('fs/cgroup');
  tree.dir('class').add('net', new NetClassDir(tree.fs, net));
  tree.dir('devices/virtual').add('net', new NetDevicesDir(tree.fs, net));
  fillCpus(tree, numCpu);
  tree.file('kernel/mm/transparent_hugepage/enabled', 'always madvise [never]', 0o644);
  tree.file('kernel/mm/transparent_hugepage/defrag', 'always defer defer+madvise madvise [never]', 0o644);
  tree.file(
    'kernel/mm/transparent_hugepage/shmem_enabled',
    'always within_size advise [never] deny force',
    0o644,
  );
  tree.file('kernel/mm/transparent_hugepage/hpage_pmd_size', '2097152');
  tree.file('kernel/mm/transparent_hugepage/use_zero_page', '0', 0o644);
  tree.file('kernel/uevent_seqnum', '0');
  tree.file('kernel/profiling', '0');
  tree.file('power/state', '');
}

function fillCpus(tree: TreeBuilder, n: number): void {
  const cpus = 'devices/system/cpu';
  const range = cpuRange(n);
  for (const name of ['online', 'possible', 'present']) tree.file(`${cpus}/${name}`, range);
  tree.file(`${cpus}/offline`, '');
  tree.file(`${cpus}/isolated`, '');
  tree.file(`${cpus}/nohz_full`, '');
  tree.file(`${cpus}/kernel_max`, String(Math.max(n - 1, 63)));
  tree.file(`${cpus}/smt/active`, '0');
  tree.file(`${cpus}/smt/control`, 'notsupported');
  for (let cpu = 0; cpu < n; cpu++) {
    const at = `${cpus}/cpu${cpu}`;
    const own = maskOf(cpu, cpu, n);
    const all = maskOf(0, n - 1, n);
    if (cpu > 0) tree.file(`${at}/online`, '1', 0o644);
    tree.file(`${at}/topology/physical_package_id`, '0');
    tree.file(`${at}/topology/die_id`, '0');
    tree.file(`${at}/topology/core_id`, String(cpu));
    tree.file(`${at}/topology/thread_siblings`, own);
    tree.file(`${at}/topology/thread_siblings_list`, String(cpu));
    tree.file(`${at}/topology/core_cpus`, own);
    tree.file(`${at}/topology/core_cpus_list`, String(cpu));
    tree.file(`${at}/topology/core_siblings`, all);
    tree.file(`${at}/topology/core_siblings_list`, range);
    tree.file(`${at}/topology/package_cpus`, all);
    tree.file(`${at}/topology/package_cpus_list`, range);
    tree.link(`${at}/node0`, '../../node/node0');
    tree.link(`${at}/subsystem`, '../../../../bus/cpu');
  }
  const nodes = 'devices/system/node';
  for (const name of ['online', 'possible', 'has_cpu', 'has_memory', 'has_normal_memory']) {
    tree.file(`${nodes}/${name}`, '0');
  }
  tree.file(`${nodes}/node0/cpulist`, range);
  tree.file(`${nodes}/node0/cpumap`, maskOf(0, n - 1, n));
  tree.file(`${nodes}/node0/distance`, '10');
}
