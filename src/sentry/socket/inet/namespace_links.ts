// The interfaces of a network namespace for those who show them (sysfs), as whatever serves its sockets has them.

import type { LinkView } from './links.ts';
import type { InetNamespace } from './namespace.ts';

export class NamespaceLinks {
  readonly ns: InetNamespace;

  constructor(ns: InetNamespace) {
    this.ns = ns;
  }

  get links(): readonly LinkView[] {
    return this.ns.stack.links;
  }

  linkByName(name: string): LinkView | null {
    return this.ns.linkByName(name);
  }
}
