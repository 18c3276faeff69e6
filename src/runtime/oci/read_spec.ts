// config.json: read, checked, and what of it cannot be done refused or told by name.

import { resolve } from 'node:path';
import { PER_LINUX, PER_LINUX32 } from '../../abi/process/personality.ts';
import { readMount } from './read_mount.ts';
import { readProcess } from './read_process.ts';
import { readResources } from './read_resources.ts';
import { readSeccomp } from './read_seccomp.ts';
import { type Reader, readJson } from './reader.ts';
import {
  HOOK_KINDS,
  type HookKind,
  type Spec,
  type SpecDevice,
  type SpecHook,
  type SpecNamespace,
} from './spec.ts';

/** The version of the runtime specification that is followed. */
export const OCI_VERSION = '1.3.0';
const NAMESPACES = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'];
/** `linux` members without effect, and why nobody need care: guests never reach what they are about. */
const LINUX_IGNORED = ['intelRdt', 'netDevices', 'memoryPolicy'];
const DEVICE_TYPES = ['c', 'b', 'u', 'p'];
const DOMAINS: Readonly<Record<string, number>> = { LINUX: PER_LINUX, LINUX32: PER_LINUX32 };

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

function readDevice(r: Reader): SpecDevice {
  const type = r.at('type');
  if (!DEVICE_TYPES.includes(type.string()))
    type.wrong(`${JSON.stringify(type.string())} is unknown`, `one of: ${DEVICE_TYPES.join(', ')}`);
  return {
    path: r.at('path').absolutePath(),
    type: type.string(),
    major: r.at('major').integerOr(-1, 0xfff, 0),
    minor: r.at('minor').integerOr(-1, 0xf_ffff, 0),
    mode: r.at('fileMode').integerOr(0, 2 ** 32 - 1, 0o666) & 0o7777,
    uid: r.at('uid').integerOr(0, 2 ** 32 - 2, 0),
    gid: r.at('gid').integerOr(0, 2 ** 32 - 2, 0),
  };
}

function readPersonality(r: Reader): number {
  if (!r.present) return 0;
  const domain = r.at('domain');
  const value = DOMAINS[domain.string()];
  if (value === undefined) domain.wrong(`${JSON.stringify(domain.string())} is unknown`, 'LINUX or LINUX32');
  if (r.at('flags').isSet) r.at('flags').wrong('not supported', 'leave them out');
  return value;
}

function readVersion(r: Reader): string {
  const version = r.string();
  if (!/^1\.\d+\.\d+/.test(version))
    r.wrong(`version ${version} is not supported`, `1.0.0 to ${OCI_VERSION}`);
  return version;
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
  for (const name of LINUX_IGNORED) if (linux.at(name).present) warn(`${linux.path}.${name}: no effect`);
  const offsets = linux.at('timeOffsets');
  if (offsets.isSet || namespaces.some((n) => n.type === 'time' && n.path !== null))
    offsets.wrong('time namespaces are not supported', 'a bundle without one');
  const propagation = linux.at('rootfsPropagation');
  if (/shared/.test(propagation.stringOr('')))
    propagation.wrong('mounts made inside do not reach the host', 'private or slave');
  if (linux.at('mountLabel').stringOr('') !== '') warn(`${linux.path}.mountLabel: not applied`);
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
    devices: linux.at('devices').list(readDevice),
    sysctl: linux.at('sysctl').stringMap(),
    personality: readPersonality(linux.at('personality')),
    maskedPaths: linux.at('maskedPaths').list((p) => p.absolutePath()),
    readonlyPaths: linux.at('readonlyPaths').list((p) => p.absolutePath()),
    seccomp: readSeccomp(linux.at('seccomp')),
    cgroupsPath: linux.at('cgroupsPath').stringOr('') || null,
    resources: readResources(linux.at('resources'), warn),
    warnings,
  };
}
