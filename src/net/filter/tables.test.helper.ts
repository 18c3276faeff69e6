// Tables as programs set them, made of rules.

import { FORWARD, HOOKS, type Layout, PART_HEADER, PART_NAME, PART_REVISION, TABLES } from './layout.ts';

/** A match or a target: its name, revision and data, which is filled up to units of eight bytes. */
export interface Part {
  readonly name: string;
  readonly revision?: number;
  readonly data: Uint8Array;
}

export interface RuleText {
  /** Protocol; 0 or nothing for any. */
  readonly proto?: number;
  readonly matches?: readonly Part[];
  /** A verdict, a rule that it jumps to, or a target by name. */
  readonly target: number | { readonly to: number } | Part;
  readonly goes?: boolean;
}

export const ACCEPT = -2;
export const DROP = -1;
export const RETURN = -5;

export interface TableText {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly hookEntry: number[];
  readonly underflow: number[];
}

const pad8 = (n: number): number => (n + 7) & ~7;

function partBytes(part: Part): Uint8Array {
  const bytes = new Uint8Array(PART_HEADER + pad8(part.data.length));
  new DataView(bytes.buffer).setUint16(0, bytes.length, true);
  for (let i = 0; i < part.name.length; i++) bytes[PART_NAME + i] = part.name.charCodeAt(i);
  bytes[PART_REVISION] = part.revision ?? 0;
  bytes.set(part.data, PART_HEADER);
  return bytes;
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

/** Entries in a row; where each begins is told to `at`. */
function entries(layout: Layout, rules: readonly RuleText[], at: number[]): Uint8Array {
  const made: Uint8Array[] = [];
  const jumps: [number, number][] = [];
  let size = 0;
  for (const rule of rules) {
    at.push(size);
    const matches = (rule.matches ?? []).map(partBytes);
    const { target } = rule;
    const isPart = typeof target === 'object' && 'name' in target;
    const last = partBytes(
      isPart ? target : { name: '', data: word(typeof target === 'number' ? target : 0) },
    );
    const targetAt = layout.size + matches.reduce((n, m) => n + m.length, 0);
    const bytes = new Uint8Array(targetAt + last.length);
    const view = new DataView(bytes.buffer);
    view.setUint16(layout.proto, rule.proto ?? 0, true);
    if (layout.v6 && rule.proto !== undefined) bytes[layout.flags] = 1;
    if (rule.goes) bytes[layout.flags] = bytes[layout.flags]! | layout.gotoFlag;
    view.setUint16(layout.targetOffset, targetAt, true);
    view.setUint16(layout.nextOffset, bytes.length, true);
    let to = layout.size;
    for (const m of [...matches, last]) {
      bytes.set(m, to);
      to += m.length;
    }
    if (typeof target === 'object' && 'to' in target) jumps.push([size + targetAt + PART_HEADER, target.to]);
    made.push(bytes);
    size += bytes.length;
  }
  const all = new Uint8Array(size);
  made.forEach((bytes, i) => {
    all.set(bytes, at[i]!);
  });
  for (const [from, to] of jumps) new DataView(all.buffer).setInt32(from, at[to]!, true);
  return all;
}

/** The table `name`: `rules` are those of its first hook, `policy` ends them; `chains` stand behind all hooks' rules. */
export function tableOf(
  name: string,
  layout: Layout,
  rules: readonly RuleText[],
  policy: number = ACCEPT,
  chains: readonly RuleText[] = [],
): TableText {
  const all: RuleText[] = [...rules];
  const hookEntry: number[] = [];
  const underflow: number[] = [];
  let first = true;
  for (let hook = 0; hook < HOOKS; hook++) {
    hookEntry.push(first ? 0 : all.length);
    if ((TABLES[name]! & (1 << hook)) !== 0) {
      underflow.push(all.length);
      all.push({ target: first ? policy : ACCEPT });
      first = false;
    } else underflow.push(0);
  }
  all.push(...chains, {
    target: { name: 'ERROR', data: new TextEncoder().encode('ERROR'.padEnd(32, '\0')) },
  });
  const at: number[] = [];
  const bytes = entries(layout, all, at);
  return {
    bytes,
    count: all.length,
    hookEntry: hookEntry.map((i) => at[i]!),
    underflow: underflow.map((i) => at[i]!),
  };
}

/** The number of the first rule of `chains` in a filter table with so many rules. */
export function chainsAt(rules: number): number {
  return rules + FORWARD + 1;
}
