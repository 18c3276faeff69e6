// /proc/PID/mounts, mountinfo and mountstats: the mounts of a task's namespace below its root. proc(5).

import type { Task } from '../../kernel/task.ts';
import { pathReachable, pathString } from '../../vfs/dpath.ts';
import { devMajor, devMinor } from '../../vfs/filesystem.ts';
import { type Mount, mountOptions } from '../../vfs/mount.ts';
import { Path } from '../../vfs/path.ts';
import { escapeOctal } from './format.ts';

const ESCAPED = ' \t\n\\#';

/** Calls `line` for every mount that the task can see, with its place. */
function eachMount(t: Task, line: (m: Mount, at: string) => string): string {
  const root = t.fs.root;
  const ns = root.mount.ns;
  if (ns === null) return '';
  let out = '';
  for (const m of ns.mounts) {
    const top = m === root.mount ? root : new Path(m, m.root);
    if (m !== root.mount && !pathReachable(top, root)) continue;
    out += line(m, escapeOctal(pathString(top, root), ESCAPED));
  }
  return out;
}

/** The part of its file system that a mount shows. */
function rootOf(m: Mount): string {
  let s = '';
  for (let d = m.root; d.parent !== null; d = d.parent) s = `/${d.name}${s}`;
  return escapeOctal(s === '' ? '/' : s, ESCAPED);
}

export function mountsText(t: Task): string {
  return eachMount(t, (m, at) => {
    const source = escapeOctal(m.source, ESCAPED);
    return `${source} ${at} ${m.fs.name} ${mountOptions(m)}${m.fs.options()} 0 0\n`;
  });
}

export function mountinfoText(t: Task): string {
  return eachMount(t, (m, at) => {
    const dev = `${devMajor(m.fs.dev)}:${devMinor(m.fs.dev)}`;
    const parent = m.parent === null ? m.id : m.parent.id;
    const source = escapeOctal(m.source, ESCAPED);
    const own = `${m.id} ${parent} ${dev} ${rootOf(m)} ${at} ${mountOptions(m)}`;
    return `${own} - ${m.fs.name} ${source} ${m.readonly ? 'ro' : 'rw'}${m.fs.options()}\n`;
  });
}

export function mountstatsText(t: Task): string {
  return eachMount(
    t,
    (m, at) => `device ${escapeOctal(m.source, ESCAPED)} mounted on ${at} with fstype ${m.fs.name}\n`,
  );
}
