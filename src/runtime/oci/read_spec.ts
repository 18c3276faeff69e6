// config.json: read, checked, and what of it cannot be done refused or told by name.

import { resolve } from 'node:path';
import { readMount } from './read_mount.ts';
import { readProcess } from './read_process.ts';
import { readSeccomp } from './read_seccomp.ts';
import { type Reader, readJson } from './reader.ts';
import { HOOK_KINDS, type HookKind, type Spec, type SpecHook, type SpecNamespace } from './spec.ts';

/** The version of the runtime specification that is followed. */
export const OCI_VERSION = '1.3.0';
const NAMESPACES = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'];
/** `linux` members without effect, and why nobody need care: guests never reach what they are about. */
const LINUX_IGNORED = ['rootfsPropagation', 'intelRdt', 'personality', 'netDevices', 'memoryPolicy'];

function readHook(r: Reader): SpecHook {
  return {
    path: r.at('path').absolutePath(),
    args: r.at('args').strings(),
    env: r.at('env').strings(),
    timeout: r.at('timeout').integerOr(1, 2 ** 31, 0),
  };
}

function readNamespace(r: Reader): SpecNamespace {
  const type = r.at('type');
  if (!NAMESPACES.includes(type.string()))
    type.wrong(`${JSON.stringify(type.string())} is unknown`, `one of: ${NAMESPACES.join(', ')}`);
  const path = r.at('path').stringOr('');
  return { type: type.string(), path: path === '' ? null : r.at('path').absolutePath() };
}

function readVersion(r: Reader): string {
  const version = r.string();
  if (!/^1\.\d+\.\d+/.test(version))
    r.wrong(`version ${version} is not supported`, `1.0.0 to ${OCI_VERSION}`);
  return version;
}

/** Processors that quota and period leave, rounded up; 0 for no limit. */
function readCpus(cpu: Reader): number {
  const quota = cpu.at('quota').integerOr(-1, 2 ** 53, 0);
  const period = cpu.at('period').integerOr(0, 2 ** 53, 0) || 100_000;
  return quota > 0 ? Math.max(1, Math.ceil(quota / period)) : 0;
}

/** Reads a bundle's config.json. Throws SpecError. */
export function readSpec(text: string, bundle: string): Spec {
  const r = readJson(text, 'config.json');
  const warnings: string[] = [];
  const warn = (line: string) => void warnings.push(line);
  const ociVersion = readVersion(r.at('ociVersion'));
  for (const other of ['windows', 'solaris', 'vm', 'zos', 'freebsd'])
    if (r.at(other).present) r.at(other).wrong('another platform', 'a bundle for linux');
  const root = r.at('root');
  const linux = r.at('linux');
  const namespaces = linux.at('namespaces').list(readNamespace);
  for (const { type, path } of namespaces)
    if (path !== null && type !== 'network')
      warn(`${linux.path}.namespaces: ${type} of ${path} is not joined: the sandbox has its own`);
  if (namespaces.some((n) => n.type === 'user') || linux.at('uidMappings').list((m) => m).length > 0)
    linux.at('uidMappings').wrong('user namespaces are not supported', 'a bundle without one');
  for (const name of linux.at('sysctl').names()) warn(`${linux.path}.sysctl.${name}: not set`);
  for (const name of LINUX_IGNORED) if (linux.at(name).present) warn(`${linux.path}.${name}: no effect`);
  for (const device of linux.at('devices').list((d) => d.at('path').string()))
    warn(`${linux.path}.devices: ${device}: devices of this machine are not there inside`);
  if (linux.at('mountLabel').stringOr('') !== '') warn(`${linux.path}.mountLabel: not applied`);
  const resources = linux.at('resources');
  const memory = resources
    .at('memory')
    .at('limit')
    .integerOr(-1, 2 ** 64, 0);
  const pids = resources
    .at('pids')
    .at('limit')
    .integerOr(-1, 2 ** 63, 0);
  const hooks = r.at('hooks');
  return {
    ociVersion,
    hostname: r.at('hostname').stringOr('') || null,
    domainname: r.at('domainname').stringOr('') || null,
    rootPath: resolve(bundle, root.at('path').string()),
    rootReadonly: root.at('readonly').boolean(),
    process: readProcess(r.at('process'), warn),
    mounts: r.at('mounts').list((m) => readMount(m, bundle, warn)),
    hooks: Object.fromEntries(HOOK_KINDS.map((kind) => [kind, hooks.at(kind).list(readHook)])) as Record<
      HookKind,
      SpecHook[]
    >,
    annotations: r.at('annotations').stringMap(),
    namespaces,
    maskedPaths: linux.at('maskedPaths').list((p) => p.absolutePath()),
    readonlyPaths: linux.at('readonlyPaths').list((p) => p.absolutePath()),
    seccomp: readSeccomp(linux.at('seccomp')),
    cgroupsPath: linux.at('cgroupsPath').stringOr('') || null,
    // Beyond what a double holds it is none.
    memoryLimit: memory > 0 && memory < 2 ** 53 ? memory : 0,
    pidsLimit: pids > 0 && pids < 2 ** 22 ? pids : 0,
    cpus: readCpus(resources.at('cpu')),
    warnings,
  };
}
