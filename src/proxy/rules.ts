// Rules on requests: by host, method and path. The first that fits decides.

import { hostMatches } from './host_pattern.ts';

export interface Rule {
  readonly action: 'allow' | 'deny';
  /** Name of a host, `*.NAME` or `*`. */
  readonly host: string;
  /** Methods in capitals; all when left out. */
  readonly methods?: readonly string[] | undefined;
  /** The path without the query; `*` stands for any text, also with slashes. All when left out. */
  readonly path?: string | undefined;
}

/** Whether `text` fits a pattern in which `*` stands for any text. Linear in both but for the last `*`: no way to explode. */
export function wildMatch(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** A path without `.` and `..` (RFC 3986 5.2.4) and empty segments. */
function resolved(path: string): string {
  const out: string[] = [];
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '..') out.pop();
    else if (segment !== '.' && segment !== '') out.push(segment);
  }
  return `/${out.join('/')}${out.length > 0 && /\/\.{0,2}$/.test(path) ? '/' : ''}`;
}

/** `path` with its percent escapes undone once; as it is where that is no text. */
function decoded(path: string): string {
  return path.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/**
 * The ways in which a server may read a path: as written; with escapes undone, with `\` for `/` and with `..` followed, once and
 * twice. A rule on paths must hold for all of them.
 */
export function readings(target: string): string[] {
  const path = target.replace(/[?#].*$/s, '');
  const once = decoded(path).replaceAll('\\', '/');
  const twice = decoded(once).replaceAll('\\', '/');
  const all = [path, resolved(path), resolved(once), resolved(twice)];
  // Servers that know matrix parameters look at `/a;x/..` as `/a/..`.
  if (path.includes(';')) all.push(resolved(once.replace(/;[^/]*/g, '')));
  return [...new Set(all)];
}

export class Rules {
  private readonly rules: readonly Rule[];
  private readonly otherwise: 'allow' | 'deny';

  constructor(rules: readonly Rule[], otherwise: 'allow' | 'deny') {
    this.rules = rules;
    this.otherwise = otherwise;
  }

  /** Why a request is denied, in one line, or null when it is allowed. */
  denial(host: string, method: string, target: string): string | null {
    for (const path of readings(target)) {
      const rule = this.rules.find(
        (r) =>
          hostMatches(r.host, host) &&
          (r.methods === undefined || r.methods.includes(method)) &&
          (r.path === undefined || wildMatch(r.path, path)),
      );
      if ((rule?.action ?? this.otherwise) === 'allow') continue;
      return rule === undefined
        ? 'no rule allows this request'
        : `rule ${this.rules.indexOf(rule) + 1} denies this request`;
    }
    return null;
  }
}
