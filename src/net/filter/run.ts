// A packet's way through a table: ipt_do_table().

import type { IpAddress } from '../address.ts';
import {
  INV_DST,
  INV_FRAG,
  INV_PROTO,
  INV_SRC,
  INV_VIA_IN,
  INV_VIA_OUT,
  type Layout,
  NF_DROP,
  XT_CONTINUE,
  XT_RETURN,
} from './layout.ts';
import type { Situation } from './match.ts';
import type { FilterTable, Rule } from './table.ts';
import { STANDARD, type Target } from './target.ts';
import type { View } from './view.ts';

/** Rules and matches that one packet may meet in a table: chains that call each other twice meet 2^n. */
const MOST_STEPS = 100_000;
const IFNAMSIZ = 16;
/** IPT_F_FRAG, IP6T_F_PROTO. */
const V4_FRAG = 1;
const V6_PROTO = 1;

/** Does what a target says that is no verdict by itself: a verdict, or XT_CONTINUE. */
export interface TargetRunner {
  apply(target: Target, v: View, s: Situation, hook: number): number;
}

/** NF_ACCEPT or NF_DROP. */
export function runTable(
  table: FilterTable,
  hook: number,
  v: View,
  s: Situation,
  runner: TargetRunner,
): number {
  const { rules, layout } = table;
  const back: number[] = [];
  let i = table.first[hook]!;
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const rule = rules[i]!;
    steps += rule.matches.length;
    if (!matches(table, layout, rule, v, s)) {
      i++;
      continue;
    }
    rule.packets++;
    rule.bytes += v.size;
    const { target } = rule;
    if (target.kind !== STANDARD) {
      const verdict = runner.apply(target, v, s, hook);
      if (verdict !== XT_CONTINUE) return verdict;
      i++;
      continue;
    }
    if (target.value === XT_RETURN) {
      const to = back.pop();
      i = to ?? table.policy[hook]!;
      continue;
    }
    if (target.value < 0) return -target.value - 1;
    if (rule.jump !== i + 1 && !rule.goes) back.push(i + 1);
    i = rule.jump;
  }
  return NF_DROP;
}

function matches(table: FilterTable, layout: Layout, rule: Rule, v: View, s: Situation): boolean {
  if (!rule.plain && !matchesHeader(table, layout, rule, v, s)) return false;
  const all = rule.matches;
  for (let m = 0; m < all.length; m++) if (!all[m]!.test(v, s)) return false;
  return true;
}

function matchesHeader(table: FilterTable, layout: Layout, rule: Rule, v: View, s: Situation): boolean {
  const { bytes, view } = table;
  const at = rule.offset;
  const inverted = bytes[at + layout.inverted]!;
  const { src, dst } = v.packet;
  const size = layout.addressSize;
  if (isIn(view, at, at + 2 * size, src, layout.v6) === ((inverted & INV_SRC) !== 0)) return false;
  if (isIn(view, at + size, at + 3 * size, dst, layout.v6) === ((inverted & INV_DST) !== 0)) return false;
  const names = at + layout.interfaces;
  if (hasName(bytes, names, names + 2 * IFNAMSIZ, s.inName) === ((inverted & INV_VIA_IN) !== 0)) return false;
  if (hasName(bytes, names + IFNAMSIZ, names + 3 * IFNAMSIZ, s.outName) === ((inverted & INV_VIA_OUT) !== 0))
    return false;
  const flags = bytes[at + layout.flags]!;
  const protocol = view.getUint16(at + layout.proto, true);
  const asks = layout.v6 ? (flags & V6_PROTO) !== 0 : protocol !== 0;
  if (asks && (protocol === v.protocol) === ((inverted & INV_PROTO) !== 0)) return false;
  if (layout.v6 || (flags & V4_FRAG) === 0) return true;
  return v.l4 < 0 !== ((inverted & INV_FRAG) !== 0);
}

function isIn(view: DataView, at: number, maskAt: number, a: IpAddress, v6: boolean): boolean {
  if (!v6) return (a.w3 & view.getUint32(maskAt)) >>> 0 === view.getUint32(at);
  return (
    (a.w0 & view.getUint32(maskAt)) >>> 0 === view.getUint32(at) &&
    (a.w1 & view.getUint32(maskAt + 4)) >>> 0 === view.getUint32(at + 4) &&
    (a.w2 & view.getUint32(maskAt + 8)) >>> 0 === view.getUint32(at + 8) &&
    (a.w3 & view.getUint32(maskAt + 12)) >>> 0 === view.getUint32(at + 12)
  );
}

function hasName(bytes: Uint8Array, at: number, maskAt: number, name: string): boolean {
  for (let i = 0; i < IFNAMSIZ; i++) {
    const mask = bytes[maskAt + i]!;
    if (mask === 0) break;
    const c = i < name.length ? name.charCodeAt(i) : 0;
    if (((c ^ bytes[at + i]!) & mask) !== 0) return false;
  }
  return true;
}
