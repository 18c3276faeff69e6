// RTM_*RULE: which table is asked, rtnetlink(7), ip-rule(8).

import { EAFNOSUPPORT, EEXIST, EINVAL, ENOENT } from '../../../../abi/errno.ts';
import {
  FR_ACT_TO_TBL,
  FRA_DST,
  FRA_FWMARK,
  FRA_FWMASK,
  FRA_OIFNAME,
  FRA_PRIORITY,
  FRA_PROTOCOL,
  FRA_SRC,
  FRA_SUPPRESS_PREFIXLEN,
  FRA_TABLE,
} from '../../../../abi/net/fib_rules.ts';
import { NLM_F_DUMP, NLM_F_EXCL } from '../../../../abi/net/netlink.ts';
import { RT_TABLE_COMPAT, RTM_NEWRULE, RTPROT_KERNEL } from '../../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../../abi/net/socket.ts';
import { Rule } from '../../../../net/ip/routes.ts';
import type { Stack } from '../../../../net/stack.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { addressAttr, putAddress } from './address_attr.ts';

/** struct fib_rule_hdr: family, dst_len, src_len, tos, table, two reserved, action; u32 flags. */
const HEADER_SIZE = 12;
const DST_LEN = 1;
const SRC_LEN = 2;
const TOS = 3;
const TABLE = 4;
const ACTION = 7;
/** Where rules without a priority go: before the main table's. */
const BEFORE_MAIN = 32765;
const NO_SUPPRESSION = 0xffffffff;

/** Adds RTM_NEWRULE or RTM_DELRULE about a rule. */
export function putRule(w: NetlinkWriter, stack: Stack, rule: Rule, type: number): void {
  const body = w.begin(type, HEADER_SIZE);
  const v = w.header;
  v.setUint8(body, rule.isV4 ? AF_INET : AF_INET6);
  v.setUint8(body + DST_LEN, rule.dstBits);
  v.setUint8(body + SRC_LEN, rule.srcBits);
  v.setUint8(body + TOS, rule.tos);
  v.setUint8(body + TABLE, rule.table < 256 ? rule.table : RT_TABLE_COMPAT);
  v.setUint8(body + ACTION, rule.action);
  w.u32(FRA_TABLE, rule.table);
  w.u32(FRA_SUPPRESS_PREFIXLEN, NO_SUPPRESSION);
  w.u8(FRA_PROTOCOL, RTPROT_KERNEL);
  if (rule.priority !== 0) w.u32(FRA_PRIORITY, rule.priority);
  if (rule.dst !== null) putAddress(w, FRA_DST, rule.dst);
  if (rule.src !== null) putAddress(w, FRA_SRC, rule.src);
  if (rule.markMask !== 0) {
    w.u32(FRA_FWMARK, rule.mark);
    w.u32(FRA_FWMASK, rule.markMask);
  }
  const link = rule.oif === 0 ? null : stack.link(rule.oif);
  if (link !== null) w.text(FRA_OIFNAME, link.name);
  w.end();
}

/** RTM_GETRULE: a dump. */
export function getRule(stack: Stack, from: NetlinkAsker, request: NetlinkRequest): number {
  const { view, at, end, seq, flags } = request;
  if ((flags & NLM_F_DUMP) === 0) return -EINVAL;
  const family = end - at > 16 ? view.getUint8(at + 16) : 0;
  const w = new NetlinkWriter(seq, from.port, 2);
  for (const isV4 of [true, false]) {
    if (family !== 0 && family !== (isV4 ? AF_INET : AF_INET6)) continue;
    for (const rule of stack.routes.rules) if (rule.isV4 === isV4) putRule(w, stack, rule, RTM_NEWRULE);
  }
  return Math.min(0, from.answer(w.finish())) || 1;
}

/** The rule that a request describes; without a priority when none is told. */
function described(stack: Stack, request: NetlinkRequest): { rule: Rule; prioritized: boolean } | number {
  const { view, at, end } = request;
  if (end - at < 16 + HEADER_SIZE) return -EINVAL;
  const body = at + 16;
  const family = view.getUint8(body);
  if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
  const most = family === AF_INET ? 32 : 128;
  const attrs = new Attributes(view, body + HEADER_SIZE, end);
  const dst = addressAttr(attrs, FRA_DST, family);
  const src = addressAttr(attrs, FRA_SRC, family);
  const dstBits = view.getUint8(body + DST_LEN);
  const srcBits = view.getUint8(body + SRC_LEN);
  if (dst === null || src === null || dstBits > most || srcBits > most) return -EINVAL;
  const priority = attrs.u32(FRA_PRIORITY);
  const table = attrs.u32(FRA_TABLE) ?? view.getUint8(body + TABLE);
  const rule = new Rule(priority ?? BEFORE_MAIN, family === AF_INET, table);
  rule.action = view.getUint8(body + ACTION) || FR_ACT_TO_TBL;
  if (rule.action === FR_ACT_TO_TBL && table === 0) return -EINVAL;
  rule.tos = view.getUint8(body + TOS);
  rule.dst = dst ?? null;
  rule.dstBits = dstBits;
  rule.src = src ?? null;
  rule.srcBits = srcBits;
  rule.mark = attrs.u32(FRA_FWMARK) ?? 0;
  rule.markMask = attrs.u32(FRA_FWMASK) ?? (rule.mark !== 0 ? 0xffffffff : 0);
  const name = attrs.text(FRA_OIFNAME);
  if (name !== undefined) {
    for (const link of stack.links.values()) if (link.name === name) rule.oif = link.ifindex;
    if (rule.oif === 0) return -EINVAL;
  }
  return { rule, prioritized: priority !== undefined };
}

function same(a: Rule, b: Rule): boolean {
  const equal = (x: Rule['src'], y: Rule['src']): boolean =>
    x === null || y === null ? x === y : x.equals(y);
  return (
    a.isV4 === b.isV4 &&
    a.table === b.table &&
    a.action === b.action &&
    a.srcBits === b.srcBits &&
    a.dstBits === b.dstBits &&
    a.mark === b.mark &&
    a.oif === b.oif &&
    equal(a.src, b.src) &&
    equal(a.dst, b.dst)
  );
}

/** RTM_NEWRULE: the rule, or -errno. */
export function newRule(stack: Stack, request: NetlinkRequest): Rule | number {
  const what = described(stack, request);
  if (typeof what === 'number') return what;
  const exists = stack.routes.rules.some((r) => same(r, what.rule) && r.priority === what.rule.priority);
  if (exists && (request.flags & NLM_F_EXCL) !== 0) return -EEXIST;
  const r = stack.routes.addRule(what.rule);
  return r < 0 ? r : what.rule;
}

/** RTM_DELRULE: the rule that went; -ENOENT. */
export function delRule(stack: Stack, request: NetlinkRequest): Rule | number {
  const what = described(stack, request);
  if (typeof what === 'number') return what;
  const found = stack.routes.rules.find(
    (r) => same(r, what.rule) && (!what.prioritized || r.priority === what.rule.priority),
  );
  if (found === undefined) return -ENOENT;
  const r = stack.routes.removeRule(found);
  return r < 0 ? r : found;
}
