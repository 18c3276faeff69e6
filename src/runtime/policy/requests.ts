// Rules that look into HTTP: by method and path. At connect(2) they decide that a connection may be made; what it may carry is decided by
// who reads it (docs/network-proxy.md), for which the rules that are left to ask are written down here.

/** What of a name's requests a rule is about. */
export interface HttpPart {
  /** In capitals; null for all. */
  readonly methods: readonly string[] | null;
  /** `*` stands for any text; null for all. */
  readonly paths: readonly string[] | null;
}

/** A rule as the reader of requests has it. */
export interface RequestRule {
  readonly action: 'allow' | 'deny';
  readonly host: string;
  readonly methods?: readonly string[];
  readonly path?: string;
}

/** RFC 9110 9.1: those that there are, in capitals. */
export const METHOD = /^[A-Z]{1,20}$/;

/** What is wrong with a pattern for paths, or null. */
export function pathFault(path: string): string | null {
  if (!path.startsWith('/') && !path.startsWith('*')) return `${path} is no path; fix: /v1/* or *`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[?#\x00-\x20\x7f]/.test(path)) return `${path}: a path ends before ? and #; fix: leave the rest out`;
  return null;
}

/** One rule about requests to `host`; several when it has several paths. `part` is null for all requests. */
export function requestRules(action: 'allow' | 'deny', host: string, part: HttpPart | null): RequestRule[] {
  const rule = { action, host, ...(part?.methods ? { methods: part.methods } : {}) };
  return part?.paths ? part.paths.map((path) => ({ ...rule, path })) : [rule];
}
