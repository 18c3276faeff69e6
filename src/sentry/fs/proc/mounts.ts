// /proc/PID/mounts, mountinfo and mountstats: the mounts of a task's namespace below its root. proc(5).

import type { Task } from '../../kernel/task/task.ts';
import { pathReachable, pathString } from '../../vfs/dpath.ts';
import { devMajor, devMinor } from '../../vfs/filesystem.ts';
import { type Mount, mountOptions } from '../../vfs/mount.ts';
import { Path } from '../../vfs/path.ts';
import { masterOf } from '../../vfs/peers.ts';
import { escapeOctal } from './format.ts';

const ESCAPED = ' \t\n\\#';

/** The `line` of every mount that the task can see, with its place; the list may change while somebody reads. */
function* eachMount(t: Task, line: (m: Mount, at: string) => string): Iterable<string> {
  const root = t.fs.root;
  const { ns } = t.fs;
  for (let i = 0; i < ns.mounts.length; i++) {
    const m = ns.mounts[i]!;
    const top = m === root.mount ? root : new Path(m, m.root);
    yield m !== root.mount && !pathReachable(top, root)
      ? ''
      : line(m, escapeOctal(pathString(top, root), ESCAPED));
  }
}

/** The part of its file system that a mount shows. */
function rootOf(m: Mount): string {
  let s = '';
  for (let d = m.root; d.parent !== null; d = d.parent) s = `/${d.name}${s}`;
  return escapeOctal(s === '' ? '/' : s, ESCAPED);
}

export function mountsText(t: Task): Iterable<string> {
  return eachMount(t, (m, at) => {
    const source = escapeOctal(m.source, ESCAPED);
    return `${source} ${at} ${m.fs.name} ${mountOptions(m)}${m.fs.options()} 0 0\n`;
  });
}

export function mountinfoText(t: Task): Iterable<string> {
  return eachMount(t, (m, at) => {
    const dev = `${devMajor(m.fs.dev)}:${devMinor(m.fs.dev)}`;
    const parent = m.parent === null ? m.id : m.parent.id;
    const source = escapeOctal(m.source, ESCAPED);
    const own = `${m.id} ${parent} ${dev} ${rootOf(m)} ${at} ${mountOptions(m)}${propagation(m)}`;
    return `${own} - ${m.fs.name} ${source} ${m.readonly ? 'ro' : 'rw'}${m.fs.options()}\n`;
  });
}

/** Optional fields of mountinfo. Which group a slave hears of by way of others ("propagate_from") is not told. */
function propagation(m: Mount): string {
  const master = masterOf(m);
  const shared = m.peers === null ? '' : ` shared:${m.peers.id}`;
  return `${shared}${master === null ? '' : ` master:${master.id}`}${m.unbindable ? ' unbindable' : ''}`;
}

export function mountstatsText(t: Task): Iterable<string> {
  return eachMount(
    t,
    (m, at) => `device ${escapeOctal(m.source, ESCAPED)} mounted on ${at} with fstype ${m.fs.name}\n`,
  );
}
