// Which of the host's namespaces (namespaces(7)) the gofer has for itself: who starts it says which are his.

import { readlinkSync } from 'node:fs';

const KINDS = ['mnt', 'ipc', 'uts', 'net', 'cgroup', 'pid', 'user'];

/** Names of this process's namespaces, such as "mnt:[4026531841]"; without those that the host does not tell. */
export function ownNamespaces(): string[] {
  return KINDS.flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/self/ns/${kind}`)];
    } catch {
      return [];
    }
  });
}

const kindOf = (name: string): string => name.split(':', 1)[0]!;

/** The kinds of those that are not among `others`, and of those that are. */
export function compareNamespaces(others: readonly string[]): { own: string[]; shared: string[] } {
  const all = ownNamespaces();
  return {
    own: all.filter((name) => !others.includes(name)).map(kindOf),
    shared: all.filter((name) => others.includes(name)).map(kindOf),
  };
}
