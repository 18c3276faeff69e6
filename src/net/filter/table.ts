// FilterTable: one table of one family: the block of bytes that programs set and get, and the rules read out of it.

import { EINVAL, ELOOP } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import {
  HOOKS,
  INV_PROTO,
  type Layout,
  NF_ACCEPT,
  NF_DROP,
  PART_HEADER,
  PART_NAME,
  PART_NAME_SIZE,
  PART_REVISION,
  TABLES,
  textAt,
  XT_RETURN,
} from './layout.ts';
import { MATCH_PROTOCOLS, type Match, readMatch } from './match.ts';
import { ERROR, readTarget, STANDARD, type Target } from './target.ts';

/** Of chains that jump to each other. */
const MOST_DEPTH = 256;

export class Rule {
  readonly offset: number;
  readonly matches: readonly Match[];
  readonly target: Target;
  /** The rule that a jump leads to; -1 for none. */
  jump = -1;
  readonly goes: boolean;
  /** It compares nothing of the packet. */
  readonly plain: boolean;
  packets = 0;
  bytes = 0;

  constructor(offset: number, matches: readonly Match[], target: Target, goes: boolean, plain: boolean) {
    this.offset = offset;
    this.matches = matches;
    this.target = target;
    this.goes = goes;
    this.plain = plain;
  }
}

export class FilterTable {
  readonly name: string;
  readonly layout: Layout;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly rules: readonly Rule[];
  /** Offsets by hook, as they were set; and the rules there, -1 where the table has no such hook. */
  readonly hookEntry: readonly number[];
  readonly underflow: readonly number[];
  readonly first: readonly number[];
  readonly policy: readonly number[];

  constructor(
    name: string,
    layout: Layout,
    bytes: Uint8Array,
    rules: readonly Rule[],
    hookEntry: readonly number[],
    underflow: readonly number[],
    first: readonly number[],
    policy: readonly number[],
  ) {
    this.name = name;
    this.layout = layout;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.rules = rules;
    this.hookEntry = hookEntry;
    this.underflow = underflow;
    this.first = first;
    this.policy = policy;
  }

  get validHooks(): number {
    return TABLES[this.name]!;
  }

  get tracks(): boolean {
    return this.rules.some((r) => r.target.isNat || r.matches.some((m) => m.tracks));
  }

  /** It does nothing but accept. */
  get idle(): boolean {
    return this.rules.every(
      (r) => r.target.kind === ERROR || (r.plain && r.matches.length === 0 && isAccept(r.target)),
    );
  }
}

function isAccept(t: Target): boolean {
  return t.kind === STANDARD && t.value === -NF_ACCEPT - 1;
}

/** The rules of a block that is told to have `count`, without what depends on who reaches them; -EINVAL. */
function readEntries(layout: Layout, bytes: Uint8Array, count: number): number[] | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + layout.size > bytes.length || offsets.length >= count) return -EINVAL;
    const next = view.getUint16(at + layout.nextOffset, true);
    const target = view.getUint16(at + layout.targetOffset, true);
    if (next % 8 !== 0 || target % 8 !== 0 || target < layout.size || target + PART_HEADER + 8 > next)
      return -EINVAL;
    if (at + next > bytes.length) return -EINVAL;
    offsets.push(at);
    at += next;
  }
  return offsets.length === count ? offsets : -EINVAL;
}

/** The verdict of the entry at `at` when its target is the standard one; null otherwise. */
function standardVerdict(layout: Layout, bytes: Uint8Array, view: DataView, at: number): number | null {
  const target = at + view.getUint16(at + layout.targetOffset, true);
  if (bytes[target + PART_NAME] !== 0) return null;
  return view.getInt32(target + PART_HEADER, true);
}

function isPlain(layout: Layout, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < layout.ipSize; i++) if (i !== layout.flags && bytes[at + i] !== 0) return false;
  return (bytes[at + layout.flags]! & ~layout.gotoFlag) === 0;
}

/** States of a rule on the walk from one hook: not met, on the way that is walked, all behind it known. */
const MET = 1;
const KNOWN = 2;

/** The walk from every hook over what it can reach: mark_source_chains(). Each rule is met once for each hook. */
class Walk {
  /** Bits of hooks by rule. */
  readonly hooks: Uint8Array;
  private readonly layout: Layout;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly offsets: readonly number[];
  private readonly index: ReadonlyMap<number, number>;
  private readonly state: Uint8Array;

  constructor(
    layout: Layout,
    bytes: Uint8Array,
    offsets: readonly number[],
    index: ReadonlyMap<number, number>,
  ) {
    this.layout = layout;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offsets = offsets;
    this.index = index;
    this.hooks = new Uint8Array(offsets.length);
    this.state = new Uint8Array(offsets.length);
  }

  /** All that a packet meets from a hook's first rule on. -ELOOP when rules lead back to themselves, -EINVAL. */
  from(hook: number, start: number): number {
    this.state.fill(0);
    return this.walk(1 << hook, start, 0);
  }

  private walk(bit: number, start: number, depth: number): number {
    const { offsets, state, hooks } = this;
    if (depth > MOST_DEPTH) return -ELOOP;
    let i = start;
    for (; ; i++) {
      if (i >= offsets.length) return -EINVAL;
      if (state[i] === MET) return -ELOOP;
      if (state[i] === KNOWN) break;
      state[i] = MET;
      hooks[i] = hooks[i]! | bit;
      const at = offsets[i]!;
      const verdict = standardVerdict(this.layout, this.bytes, this.view, at);
      if (verdict === null) {
        if (this.endsChain(at)) break;
        continue;
      }
      if (verdict < 0) {
        const noMatch = this.view.getUint16(at + this.layout.targetOffset, true) === this.layout.size;
        if (noMatch && isPlain(this.layout, this.bytes, at)) break;
        continue;
      }
      const to = this.index.get(verdict);
      if (to === undefined) return -EINVAL;
      if (to === i + 1) continue;
      const r = this.walk(bit, to, depth + 1);
      if (r < 0) return r;
    }
    for (let k = start; k <= i; k++) state[k] = KNOWN;
    return 0;
  }

  /** The error target stands at the end of a chain's part of the block. */
  private endsChain(at: number): boolean {
    const name = at + this.view.getUint16(at + this.layout.targetOffset, true) + PART_NAME;
    return textAt(this.bytes, name, PART_NAME_SIZE) === 'ERROR';
  }
}

function readRule(name: string, layout: Layout, bytes: Uint8Array, at: number, hooks: number): Rule | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const targetAt = at + view.getUint16(at + layout.targetOffset, true);
  // 0 where the rule is not about one protocol.
  const protocol =
    (bytes[at + layout.inverted]! & INV_PROTO) !== 0 ? 0 : view.getUint16(at + layout.proto, true);
  const matches: Match[] = [];
  for (let m = at + layout.size; m < targetAt; ) {
    const size = view.getUint16(m, true);
    if (size < PART_HEADER || size % 8 !== 0 || m + size > targetAt) return -EINVAL;
    const part = textAt(bytes, m + PART_NAME, PART_NAME_SIZE);
    if (Object.hasOwn(MATCH_PROTOCOLS, part) && !MATCH_PROTOCOLS[part]!.includes(protocol)) return -EINVAL;
    const match = readMatch(
      part,
      bytes[m + PART_REVISION]!,
      bytes.subarray(m + PART_HEADER, m + size),
      hooks,
    );
    if (match === null) return -EINVAL;
    matches.push(match);
    m += size;
  }
  const size = view.getUint16(targetAt, true);
  if (size < PART_HEADER + 4 || targetAt + size > at + view.getUint16(at + layout.nextOffset, true))
    return -EINVAL;
  const data = bytes.subarray(targetAt + PART_HEADER, targetAt + size);
  const part = textAt(bytes, targetAt + PART_NAME, PART_NAME_SIZE);
  const target = readTarget(name, layout.v6, part, bytes[targetAt + PART_REVISION]!, data, hooks);
  if (target === null || (target.resets(layout.v6) && protocol !== IPPROTO_TCP)) return -EINVAL;
  if (target.kind === STANDARD && target.value < 0 && target.value !== XT_RETURN) {
    const verdict = -target.value - 1;
    if (verdict !== NF_ACCEPT && verdict !== NF_DROP) return -EINVAL;
  }
  const goes = (bytes[at + layout.flags]! & layout.gotoFlag) !== 0;
  return new Rule(at, matches, target, goes, isPlain(layout, bytes, at));
}

/** Reads a table that somebody sets, whose bytes become ours. -EINVAL, -ELOOP. */
export function readTable(
  name: string,
  layout: Layout,
  bytes: Uint8Array,
  count: number,
  hookEntry: readonly number[],
  underflow: readonly number[],
): FilterTable | number {
  const valid = TABLES[name];
  if (valid === undefined) return -EINVAL;
  const offsets = readEntries(layout, bytes, count);
  if (typeof offsets === 'number') return offsets;
  const index = new Map(offsets.map((offset, i) => [offset, i]));
  const first: number[] = [];
  const policy: number[] = [];
  for (let hook = 0; hook < HOOKS; hook++) {
    const used = (valid & (1 << hook)) !== 0;
    first.push(used ? (index.get(hookEntry[hook]!) ?? -2) : -1);
    policy.push(used ? (index.get(underflow[hook]!) ?? -2) : -1);
  }
  if (first.includes(-2) || policy.includes(-2)) return -EINVAL;
  const walk = new Walk(layout, bytes, offsets, index);
  for (let hook = 0; hook < HOOKS; hook++) {
    if (first[hook]! < 0) continue;
    const r = walk.from(hook, first[hook]!);
    if (r < 0) return r;
  }
  const rules: Rule[] = [];
  for (let i = 0; i < offsets.length; i++) {
    const rule = readRule(name, layout, bytes, offsets[i]!, walk.hooks[i]!);
    if (typeof rule === 'number') return rule;
    const { target } = rule;
    if (target.kind === STANDARD && target.value >= 0) {
      const to = index.get(target.value);
      if (to === undefined) return -EINVAL;
      rule.jump = to;
    }
    rules.push(rule);
  }
  // A policy is a verdict without conditions.
  for (const i of policy) {
    if (i < 0) continue;
    const { target, plain, matches } = rules[i]!;
    if (
      !plain ||
      matches.length > 0 ||
      target.kind !== STANDARD ||
      target.value >= 0 ||
      target.value === XT_RETURN
    )
      return -EINVAL;
  }
  return new FilterTable(name, layout, bytes, rules, hookEntry, underflow, first, policy);
}

const STANDARD_SIZE = 40;
const ERROR_SIZE = 64;

/** A table as it is before anybody sets it: every chain accepts. */
export function emptyTable(name: string, layout: Layout): FilterTable {
  const valid = TABLES[name]!;
  const at: number[] = [];
  let size = 0;
  let count = 0;
  for (let hook = 0; hook < HOOKS; hook++) {
    const used = (valid & (1 << hook)) !== 0;
    at.push(used ? size : 0);
    if (!used) continue;
    size += layout.size + STANDARD_SIZE;
    count++;
  }
  const bytes = new Uint8Array(size + layout.size + ERROR_SIZE);
  const view = new DataView(bytes.buffer);
  for (let n = 0; n <= count; n++) {
    const from = n * (layout.size + STANDARD_SIZE);
    const part = n < count ? STANDARD_SIZE : ERROR_SIZE;
    view.setUint16(from + layout.targetOffset, layout.size, true);
    view.setUint16(from + layout.nextOffset, layout.size + part, true);
    view.setUint16(from + layout.size, part, true);
    if (n < count) view.setInt32(from + layout.size + PART_HEADER, -NF_ACCEPT - 1, true);
    else
      for (const to of [PART_NAME, PART_HEADER])
        for (let i = 0; i < 5; i++) bytes[from + layout.size + to + i] = 'ERROR'.charCodeAt(i);
  }
  return readTable(name, layout, bytes, count + 1, at, at) as FilterTable;
}
