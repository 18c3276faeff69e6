// Names of hosts and patterns for them.

/** A name as it is compared: lower case, without the dot of the root (RFC 4343, RFC 1034 3.1) and the brackets of RFC 3986 3.2.2. */
export function plainHost(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

/** Whether `host` is meant by `pattern`: a name, `*.NAME` for every name below NAME, or `*`. Both are plain. */
export function hostMatches(pattern: string, host: string): boolean {
  if (pattern === '*') return true;
  if (pattern.startsWith('*.')) return host.length > pattern.length - 1 && host.endsWith(pattern.slice(1));
  return pattern === host;
}

/** A pattern and the port behind it, null when none is written: `HOST:PORT`, `[ADDRESS]:PORT`. */
export function splitPort(pattern: string): { host: string; port: number | null } {
  const m = /^(\[[^\]]*\]|[^:]*):([0-9]{1,5})$/.exec(pattern);
  if (m === null) return { host: plainHost(pattern), port: null };
  return { host: plainHost(m[1]!), port: Number(m[2]) };
}

/** Whether `host`, at `port`, is meant by `pattern`, which may end in a port; without one it means every port. */
export function meansHost(pattern: string, host: string, port: number): boolean {
  const at = splitPort(pattern);
  return (at.port === null || at.port === port) && hostMatches(at.host, host);
}

/** Whether `text` is a name or a pattern that can match: letters, digits, `-`, `_` and dots, or an address. */
export function isHostPattern(text: string): boolean {
  return text === '*' || (/^(\*\.)?[a-z0-9_]([a-z0-9_.:-]*[a-z0-9_])?$/.test(text) && !text.includes('..'));
}

/**
 * Host and port of an authority (RFC 3986 3.2: Host, :authority), the port null when none is written; null for what is
 * none. User information is none: nobody sends it who means well.
 */
export function splitAuthority(text: string): { host: string; port: number | null } | null {
  const m = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?$/.exec(text);
  if (m === null) return null;
  return { host: plainHost(m[1]!), port: m[2] === undefined ? null : Number(m[2]) };
}
