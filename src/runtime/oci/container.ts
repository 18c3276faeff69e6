// From config.json to the options of a sandbox.

import { totalmem } from 'node:os';
import { hostCpus } from '../../host/cpus.ts';
import { readInherited } from '../inherited.ts';
import { type NetworkOptions, NO_NETWORK } from '../network/options.ts';
import type { SandboxOptions } from '../options.ts';
import { limitsOf } from './process.ts';
import type { Spec } from './spec.ts';

/** The boot process is in the network namespace already that was asked for by path; a new one has its loopback alone. */
export function networkOf(spec: Spec): NetworkOptions {
  const ns = spec.namespaces.find((n) => n.type === 'network');
  if (ns === undefined) return { ...NO_NETWORK, mode: 'host' };
  return { ...NO_NETWORK, mode: ns.path === null ? 'none' : 'sandbox' };
}

/** What the Loader builds. Called in the boot process. */
export function sandboxOptions(spec: Spec, preserveFds: number, debugLog: string | null): SandboxOptions {
  const { process: p } = spec;
  const inherited = readInherited();
  const cpus = hostCpus();
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
    mounts: [],
    hidden: [],
    tmpfs: [],
    rootfs: spec.rootPath,
    overlay: null,
    platform: 'auto',
    patchCalls: true,
    fsgsbase: process.env.VEDETTE_FSGSBASE ?? 'auto',
    seccomp: true,
    gofer: false,
    clock: 'auto',
    network: networkOf(spec),
    strace: null,
    profile: null,
    diff: null,
    cpuProfile: null,
    debugLog,
    numCpu: spec.cpus > 0 ? Math.min(spec.cpus, cpus) : cpus,
    maxTasks: spec.pidsLimit,
    totalMemBytes: spec.memoryLimit > 0 ? Math.min(spec.memoryLimit, totalmem()) : totalmem(),
    dumpSignal: 0,
  };
}
