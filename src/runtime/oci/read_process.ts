// The `process` of config.json, which `exec --process` gives alone.

import * as capabilities from '../../abi/process/capability.ts';
import * as resources from '../../abi/process/resource.ts';
import type { Reader } from './reader.ts';
import type { SpecCaps, SpecProcess, SpecRlimit } from './spec.ts';

const ID_MAX = 0xffff_fffe;
const DEFAULT_UMASK = 0o022;
/** Go writes 64 bits; what a double cannot hold is no limit that anybody reaches. */
const U64_MAX = 2 ** 64;

/** The numbers of a header whose names begin with `prefix`. */
function numbers(header: object, prefix: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [name, value] of Object.entries(header))
    if (name.startsWith(prefix) && typeof value === 'number') found.set(name, value);
  return found;
}

const CAPABILITIES = numbers({ ...capabilities, CAP_LAST_CAP: null }, 'CAP_');
const RESOURCES = numbers(resources, 'RLIMIT_');

/** Capabilities of this kernel that have names: what `features` tells. */
export const CAPABILITY_NAMES: readonly string[] = [...CAPABILITIES.keys()].sort();

/** A capability set as two words; names that no kernel of ours knows are told to `warn`, as runc does. */
function readSet(r: Reader, warn: (text: string) => void): [number, number] {
  let lo = 0;
  let hi = 0;
  for (const name of r.strings()) {
    const cap = CAPABILITIES.get(name.toUpperCase());
    if (cap === undefined) {
      warn(`${r.path}: ${name} is unknown and left out`);
      continue;
    }
    if (cap < 32) lo |= 1 << cap;
    else hi |= 1 << (cap - 32);
  }
  return [lo >>> 0, hi >>> 0];
}

function readCaps(r: Reader, warn: (text: string) => void): SpecCaps {
  return {
    bounding: readSet(r.at('bounding'), warn),
    effective: readSet(r.at('effective'), warn),
    inheritable: readSet(r.at('inheritable'), warn),
    permitted: readSet(r.at('permitted'), warn),
    ambient: readSet(r.at('ambient'), warn),
  };
}

function readRlimit(r: Reader): SpecRlimit {
  const type: Reader = r.at('type');
  const resource = RESOURCES.get(type.string());
  if (resource === undefined) type.wrong(`${type.string()} is unknown`, 'RLIMIT_NOFILE or its like');
  const limit = (at: Reader) => {
    const n = at.integer(0, U64_MAX);
    return n >= 2 ** 63 ? null : n;
  };
  const soft = limit(r.at('soft'));
  const hard = limit(r.at('hard'));
  if (hard !== null && (soft === null || soft > hard)) r.at('soft').wrong('above hard', 'at most as much');
  return { resource, soft, hard };
}

/** Reads a process; `warn` hears what of it is left out. */
export function readProcess(r: Reader, warn: (text: string) => void): SpecProcess {
  if (!r.present) r.wrong('missing', 'add what the container shall run');
  const user = r.at('user');
  const args = r.at('args').strings();
  if (args.length === 0) r.at('args').wrong('empty', 'the program and its arguments');
  const cwd = r.at('cwd').absolutePath();
  for (const name of ['apparmorProfile', 'selinuxLabel'])
    if (r.at(name).stringOr('') !== '') warn(`${r.at(name).path}: not applied to programs inside`);
  for (const name of ['scheduler', 'ioPriority', 'execCPUAffinity'])
    if (r.at(name).present) warn(`${r.at(name).path}: not applied`);
  const size = r.at('consoleSize');
  return {
    terminal: r.at('terminal').boolean(),
    consoleSize: size.present
      ? { height: size.at('height').integer(0, 0xffff), width: size.at('width').integer(0, 0xffff) }
      : null,
    uid: user.at('uid').integerOr(0, ID_MAX, 0),
    gid: user.at('gid').integerOr(0, ID_MAX, 0),
    groups: user.at('additionalGids').list((g) => g.integer(0, ID_MAX)),
    umask: user.at('umask').integerOr(0, 0o777, DEFAULT_UMASK),
    args,
    env: r.at('env').strings(),
    cwd,
    caps: readCaps(r.at('capabilities'), warn),
    rlimits: r.at('rlimits').list(readRlimit),
    noNewPrivileges: r.at('noNewPrivileges').boolean(),
    oomScoreAdj: r.at('oomScoreAdj').integerOr(-1000, 1000, null),
  };
}
