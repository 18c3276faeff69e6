// The control groups of the host that a container's processes are put into, where engines look for its metrics: cgroups(7), versions
// 1, 2 and both. What is here is membership; cgroup_limits.ts writes what they may use.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError } from './failure.ts';

interface Hierarchy {
  readonly at: string;
  readonly v2: boolean;
  readonly cpuset: boolean;
}

/** Mounted hierarchies. */
function hierarchies(): Hierarchy[] {
  const lines = readFileSync('/proc/self/mounts', 'latin1').split('\n');
  return lines.flatMap((line) => {
    const [, at = '', type, options = ''] = line.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    const v2 = type === 'cgroup2';
    return [{ at, v2, cpuset: !v2 && options.split(',').includes('cpuset') }];
  });
}

/** Mounts of type "cgroup" show version 1 inside where the host's controllers are so, as runc has it. */
export function hostUsesV1(): boolean {
  return hierarchies().some(({ v2 }) => !v2);
}

const CONTROLLERS = ['cpuset', 'cpu', 'memory', 'pids'];

/** Version 2: groups below `dir` have the controllers that it has. */
function handOnControllers(dir: string): void {
  const has = readFileSync(join(dir, 'cgroup.controllers'), 'latin1').trim().split(' ');
  for (const name of CONTROLLERS) {
    if (!has.includes(name)) continue;
    try {
      writeFileSync(join(dir, 'cgroup.subtree_control'), `+${name}`);
    } catch {
      // Processes are in the group, or it is somebody else's: writeLimits() finds no file then, and says so.
    }
  }
}

/** Makes a group of version 2 with all above it. */
function makeV2(at: string, path: string): void {
  let dir = at;
  for (const name of path.split('/').filter((n) => n !== '')) {
    handOnControllers(dir);
    dir = join(dir, name);
    mkdirSync(dir, { recursive: true });
  }
}

/**
 * linux.cgroupsPath as a path below each hierarchy. systemd's form slice:prefix:name is the scope that systemd would make; a-b.slice is
 * below a.slice (systemd.slice(5)).
 */
export function cgroupPath(given: string, systemd: boolean): string {
  const parts = given.split(':');
  if (!systemd && parts.length !== 3) return given;
  if (parts.length !== 3) return given;
  const [slice = '', prefix = '', name = ''] = parts;
  const names = (slice || 'system.slice').replace(/\.slice$/, '').split('-');
  const folders = names[0] === '' ? [] : names.map((_, i) => `${names.slice(0, i + 1).join('-')}.slice`);
  return join(
    '/',
    ...folders,
    name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`,
  );
}

/** A new group of cpuset has no processors, and takes nobody, until it is told. */
function fillCpuset(at: string, path: string): void {
  let dir = at;
  for (const name of path.split('/').filter((n) => n !== '')) {
    const above = dir;
    dir = join(dir, name);
    mkdirSync(dir, { recursive: true });
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (readFileSync(join(dir, file), 'latin1').trim() === '')
        writeFileSync(join(dir, file), readFileSync(join(above, file), 'latin1'));
  }
}

/** A process that joins a group that is frozen stops there, and whoever waits for it too. */
function checkThawed(dir: string): void {
  for (const [file, frozen] of [
    ['freezer.state', 'FROZEN'],
    ['cgroup.freeze', '1'],
  ] as const) {
    const path = join(dir, file);
    if (existsSync(path) && readFileSync(path, 'latin1').trim() === frozen)
      throw new RuntimeError(`container's cgroup unexpectedly frozen: ${dir}; fix: thaw it`);
  }
}

/** Makes the groups; their folders. What cannot be made is told to `warn`. */
export function makeCgroups(path: string, warn: (text: string) => void): string[] {
  const made: string[] = [];
  for (const { at, v2, cpuset } of hierarchies()) {
    const dir = join(at, join('/', path));
    try {
      if (v2) makeV2(at, path);
      else if (cpuset) fillCpuset(at, path);
      else mkdirSync(dir, { recursive: true });
      made.push(dir);
    } catch (error) {
      warn(`control group ${dir}: ${(error as NodeJS.ErrnoException).code}`);
    }
  }
  made.forEach(checkThawed);
  return made;
}

const REMOVE_TRIES = 50;
const TRY_EACH_MS = 10;

/** Removes groups whose processes have ended, or are about to. */
export function removeCgroups(dirs: readonly string[]): void {
  for (let left = dirs, tries = 0; left.length > 0 && tries < REMOVE_TRIES; tries++) {
    if (tries > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TRY_EACH_MS);
    left = left.filter((dir) => {
      try {
        rmdirSync(dir);
        return false;
      } catch (error) {
        // Gone already, or somebody else's.
        return (error as NodeJS.ErrnoException).code === 'EBUSY';
      }
    });
  }
}
