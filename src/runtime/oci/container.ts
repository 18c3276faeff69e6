// From config.json to the options of a sandbox.

import { MS_RDONLY } from '../../abi/fs/mount.ts';
import { hostCpus } from '../../host/cpus.ts';
import { readInherited } from '../inherited.ts';
import { type NetworkOptions, NO_NETWORK } from '../network/options.ts';
import type { MountOption, SandboxOptions } from '../options.ts';
import { memoryOf } from './limits.ts';
import { limitsOf } from './process.ts';
import { processorsOf } from './read_resources.ts';
import type { Spec } from './spec.ts';

/** How containerd's and CRI-O's plugins mark the container that holds a pod together. */
const POD_HOLDERS = ['io.kubernetes.cri.container-type', 'io.kubernetes.cri-o.ContainerType'];

/** The boot process is in the network namespace already that was asked for by path; a new one has its loopback alone. */
export function networkOf(spec: Spec): NetworkOptions {
  const ns = spec.namespaces.find((n) => n.type === 'network');
  if (ns === undefined) return { ...NO_NETWORK, mode: 'host' };
  // It has no use for the pod's interfaces, which only one container can take over.
  const holds = POD_HOLDERS.some((name) => spec.annotations[name] === 'sandbox');
  return { ...NO_NETWORK, mode: ns.path === null || holds ? 'none' : 'sandbox' };
}

/** Directories and files of the host that the container has: mount points are made in its root, whatever that is later. */
function treesOf(spec: Spec): MountOption[] {
  const root = { source: spec.rootPath, target: '/', readonly: false, shared: true };
  const binds = spec.mounts.filter((m) => m.bind);
  return [
    root,
    ...binds.map(({ source, destination, flags }) => ({
      source,
      target: destination,
      readonly: (flags & MS_RDONLY) !== 0,
      shared: true,
    })),
  ];
}

/** What the Loader builds. Called in the boot process. */
export function sandboxOptions(
  spec: Spec,
  { preserveFds, debugLog, gofer }: { preserveFds: number; debugLog: string | null; gofer: boolean },
): SandboxOptions {
  const { process: p } = spec;
  const inherited = readInherited();
  const cpus = hostCpus();
  const given = processorsOf(spec.resources);
  const { pids } = spec.resources;
  return {
    argv: p.args,
    env: p.env,
    followsUser: [],
    // A program of a container starts with nothing ignored or blocked, whoever called the runtime.
    inherited: {
      ...inherited,
      ignoredLo: 0,
      ignoredHi: 0,
      blockedLo: 0,
      blockedHi: 0,
      limits: limitsOf(inherited.limits, p),
      umask: p.umask,
      openFds: null,
    },
    passedFds: Array.from({ length: preserveFds }, (_, i) => ({ fd: 3 + i, asked: true })),
    cwd: p.cwd,
    user: null,
    hostname: null,
    mounts: treesOf(spec),
    hidden: [],
    tmpfs: [],
    rootfs: spec.rootPath,
    overlay: null,
    platform: 'auto',
    patchCalls: true,
    fsgsbase: process.env.VEDETTE_FSGSBASE ?? 'auto',
    seccomp: true,
    gofer,
    clock: 'auto',
    network: networkOf(spec),
    strace: null,
    profile: null,
    diff: null,
    cpuProfile: null,
    debugLog,
    numCpu: given > 0 ? Math.min(given, cpus) : cpus,
    maxTasks: pids !== null && pids > 0 ? pids : 0,
    totalMemBytes: memoryOf(spec.resources),
    dumpSignal: 0,
  };
}
