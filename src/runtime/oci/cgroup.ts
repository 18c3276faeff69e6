// The control groups of the host that a container's processes are put into, where engines look for its metrics: cgroups(7), versions
// 1, 2 and both. Limits are kept by the sandbox itself; what is here is only membership.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Hierarchy {
  readonly at: string;
  readonly cpuset: boolean;
}

/** Mounted hierarchies. */
function hierarchies(): Hierarchy[] {
  const lines = readFileSync('/proc/self/mounts', 'latin1').split('\n');
  return lines.flatMap((line) => {
    const [, at = '', type, options = ''] = line.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    return [{ at, cpuset: type === 'cgroup' && options.split(',').includes('cpuset') }];
  });
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

/** Makes the groups; their folders. What cannot be made is told to `warn`. */
export function makeCgroups(path: string, warn: (text: string) => void): string[] {
  const made: string[] = [];
  for (const { at, cpuset } of hierarchies()) {
    const dir = join(at, join('/', path));
    try {
      mkdirSync(dir, { recursive: true });
      if (cpuset) fillCpuset(at, path);
      made.push(dir);
    } catch (error) {
      warn(`control group ${dir}: ${(error as NodeJS.ErrnoException).code}`);
    }
  }
  return made;
}

/** Removes groups that are empty by now. */
export function removeCgroups(dirs: readonly string[]): void {
  for (const dir of dirs) {
    try {
      rmdirSync(dir);
    } catch {
      // Somebody else's processes are in it, or it is gone.
    }
  }
}
