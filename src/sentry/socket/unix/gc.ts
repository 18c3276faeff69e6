// Descriptors in flight may form cycles: a socket whose last reference is a message queued on itself. This frees them, as
// unix_gc does in Linux: a socket that only messages hold lives when a queue that somebody can reach leads to it.

import type { UnixNamespace } from './namespace.ts';
import type { Scm } from './scm.ts';
import { UnixSocket } from './unix.ts';

/** Throws away the queues of sockets that nobody can reach; their files, the sockets among them, are released. */
export function collectGarbage(ns: UnixNamespace): void {
  const suspects = new Set<UnixSocket>();
  for (const s of ns.inflightSockets) if (s.refs === s.inflight) suspects.add(s);
  if (suspects.size === 0) return;

  // Sockets whose queues are known to be reachable but were not searched yet.
  const todo: UnixSocket[] = [];
  for (const s of ns.sockets) if (!suspects.has(s) && !s.embryo) todo.push(s);
  for (let s = todo.pop(); s !== undefined; s = todo.pop()) {
    for (const scm of s.queuedScms()) reachable(scm, suspects, todo);
    for (const child of s.embryos()) todo.push(child);
  }
  // Queues first: releasing a file may release a suspect.
  const doomed: Scm[] = [];
  for (const s of suspects) {
    doomed.push(...s.queuedScms());
    for (const child of s.embryos()) doomed.push(...child.queuedScms());
  }
  for (const scm of doomed) scm.discard();
}

function reachable(scm: Scm, suspects: Set<UnixSocket>, todo: UnixSocket[]): void {
  if (scm.files === null) return;
  for (const f of scm.files) if (f instanceof UnixSocket && suspects.delete(f)) todo.push(f);
}
