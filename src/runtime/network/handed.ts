// What the command hands to itself when it starts anew without secrets (cli/proxied.ts): the sockets of the process for HTTP and TLS, which
// has them by then, and what stands for them inside. Pure.

/** The variable that tells it; the guest does not have it. */
export const HANDED_NAME = 'VEDETTE_PROXY';

/** A secret without its value. */
export interface KnownSecret {
  readonly name: string;
  /** Patterns of hosts, each with its port. */
  readonly hosts: readonly string[];
  readonly placeholder: string;
}

export interface Handed {
  /** Descriptors of the process's sockets: messages, and what descriptors go over. */
  readonly control: number;
  readonly descriptors: number;
  readonly secrets: readonly KnownSecret[];
  /** Files that secrets came from: programs inside do not find them. */
  readonly files: readonly string[];
}

/** What the variable says; null when it is not there. It is our own, and trusted. */
export function parseHanded(text: string | undefined): Handed | null {
  return text === undefined || text === '' ? null : (JSON.parse(text) as Handed);
}
