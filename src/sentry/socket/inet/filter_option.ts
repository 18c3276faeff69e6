// What iptables-legacy and ip6tables-legacy ask of a socket: tables of the packet filter as options of raw sockets
// (<linux/netfilter_ipv4/ip_tables.h>, <linux/netfilter_ipv6/ip6_tables.h>). These options are larger than others and read as well as
// written by getsockopt(2), so they reach for guest memory themselves.

import {
  EAGAIN,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOPROTOOPT,
  EPERM,
  EPROTONOSUPPORT,
} from '../../../abi/errno.ts';
import { IPPROTO_IP, IPPROTO_IPV6 } from '../../../abi/net/in.ts';
import { AF_INET } from '../../../abi/net/socket.ts';
import { CAP_NET_ADMIN } from '../../../abi/process/capability.ts';
import { putU64 } from '../../../abi/u64.ts';
import type { Filter } from '../../../net/filter/filter.ts';
import {
  HOOKS,
  LAYOUT_V4,
  LAYOUT_V6,
  NAME_SIZE,
  PART_NAME_SIZE,
  TABLES,
  textAt,
} from '../../../net/filter/layout.ts';
import { MATCHES } from '../../../net/filter/match.ts';
import { type FilterTable, readTable } from '../../../net/filter/table.ts';
import { TARGETS } from '../../../net/filter/target.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { NOT_LARGE } from '../socket.ts';
import type { InetNamespace } from './namespace.ts';

/** IPT_SO_*, which are those of IP6T_* but for the last two. */
const SET_REPLACE = 64;
const SET_ADD_COUNTERS = 65;
const GET_INFO = 64;
const GET_ENTRIES = 65;
const REVISION_MATCH = 66;
const REVISION_TARGET = 67;
const REVISION_MATCH_V6 = 68;
const REVISION_TARGET_V6 = 69;

/** struct ipt_replace: name, valid_hooks, num_entries, size, hook_entry, underflow, num_counters, counters. */
const REPLACE_SIZE = 96;
/** struct ipt_getinfo: name, valid_hooks, hook_entry, underflow, num_entries, size. */
const INFO_SIZE = 84;
/** struct ipt_get_entries and xt_counters_info before what follows. */
const ENTRIES_SIZE = 40;
const REVISION_SIZE = 30;
const COUNTER_SIZE = 16;
const MOST_BYTES = 4 << 20;

/** A socket, as far as it matters here. */
export interface FilterOptionOf {
  readonly ns: InetNamespace;
  readonly family: number;
}

/** The filter that an option of `level` is about; -ENOPROTOOPT where there is none, -EPERM, NOT_LARGE. */
function filterOf(ctx: VfsContext, s: FilterOptionOf, level: number, name: number): Filter | number {
  if (level !== (s.family === AF_INET ? IPPROTO_IP : IPPROTO_IPV6)) return NOT_LARGE;
  if (name < SET_REPLACE || name > REVISION_TARGET_V6 || (level === IPPROTO_IP && name > REVISION_TARGET))
    return NOT_LARGE;
  // IPV6_RECVTCLASS and IPV6_TCLASS have these two numbers: they are no tables'.
  if (level === IPPROTO_IPV6 && (name === REVISION_MATCH || name === REVISION_TARGET)) return NOT_LARGE;
  if (!ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
  return s.ns.stack.filter() ?? -ENOPROTOOPT;
}

/** Sets a table or adds to its counters; NOT_LARGE when it is another option. */
export function setFilterOption(
  ctx: VfsContext,
  s: FilterOptionOf,
  level: number,
  name: number,
  addr: number,
  len: number,
): number {
  if (name !== SET_REPLACE && name !== SET_ADD_COUNTERS) return NOT_LARGE;
  const filter = filterOf(ctx, s, level, name);
  if (typeof filter === 'number') return filter;
  const v6 = level === IPPROTO_IPV6;
  return name === SET_REPLACE ? replace(ctx, filter, v6, addr, len) : addCounters(ctx, filter, v6, addr, len);
}

/** Copies guest memory in; null when it faults. */
function copied(ctx: VfsContext, addr: number, size: number): Uint8Array | null {
  const bytes = new Uint8Array(size);
  return ctx.mem.copyInExact(addr, bytes, 0, size) === 0 ? bytes : null;
}

function countersOf(table: FilterTable): Uint8Array {
  const bytes = new Uint8Array(table.rules.length * COUNTER_SIZE);
  const view = new DataView(bytes.buffer);
  table.rules.forEach((rule, i) => {
    putU64(view, i * COUNTER_SIZE, rule.packets);
    putU64(view, i * COUNTER_SIZE + 8, rule.bytes);
  });
  return bytes;
}

function u64At(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
}

function replace(ctx: VfsContext, filter: Filter, v6: boolean, addr: number, len: number): number {
  if (len < REPLACE_SIZE) return -EINVAL;
  const head = copied(ctx, addr, REPLACE_SIZE);
  if (head === null) return -EFAULT;
  const view = new DataView(head.buffer);
  const u32 = (at: number): number => view.getUint32(at, true);
  const name = textAt(head, 0, NAME_SIZE);
  const size = u32(40);
  if (size > MOST_BYTES) return -ENOMEM;
  if (u32(84) === 0) return -EINVAL;
  const entries = copied(ctx, addr + REPLACE_SIZE, size);
  if (entries === null) return -EFAULT;
  const old = filter.table(v6, name);
  if (old === null) return -ENOENT;
  if (u32(32) !== TABLES[name]) return -EINVAL;
  const offsets = (at: number): number[] => Array.from({ length: HOOKS }, (_, i) => u32(at + 4 * i));
  const table = readTable(name, v6 ? LAYOUT_V6 : LAYOUT_V4, entries, u32(36), offsets(44), offsets(64));
  if (typeof table === 'number') return table;
  // Somebody else changed it in between: the caller reads it again.
  if (u32(84) !== old.rules.length) return -EAGAIN;
  const r = filter.set(v6, table);
  if (r < 0) return r;
  // The table is set, whatever becomes of its former counters: __do_replace().
  const counters = countersOf(old);
  ctx.mem.copyOutExact(u64At(view, 88), counters, 0, counters.length);
  return 0;
}

function addCounters(ctx: VfsContext, filter: Filter, v6: boolean, addr: number, len: number): number {
  if (len < ENTRIES_SIZE) return -EINVAL;
  const head = copied(ctx, addr, ENTRIES_SIZE);
  if (head === null) return -EFAULT;
  const count = new DataView(head.buffer).getUint32(NAME_SIZE, true);
  if (count > MOST_BYTES / COUNTER_SIZE || len !== ENTRIES_SIZE + count * COUNTER_SIZE) return -EINVAL;
  const table = filter.table(v6, textAt(head, 0, NAME_SIZE));
  if (table === null) return -ENOENT;
  if (table.rules.length !== count) return -EINVAL;
  const bytes = copied(ctx, addr + ENTRIES_SIZE, count * COUNTER_SIZE);
  if (bytes === null) return -EFAULT;
  const view = new DataView(bytes.buffer);
  table.rules.forEach((rule, i) => {
    rule.packets += u64At(view, i * COUNTER_SIZE);
    rule.bytes += u64At(view, i * COUNTER_SIZE + 8);
  });
  return 0;
}

/** Reads a table, or what is said of it; NOT_LARGE when it is another option. */
export function getFilterOption(
  ctx: VfsContext,
  s: FilterOptionOf,
  level: number,
  name: number,
  addr: number,
  len: number,
): number {
  const filter = filterOf(ctx, s, level, name);
  if (typeof filter === 'number') return filter;
  const v6 = level === IPPROTO_IPV6;
  if (name === GET_INFO) return info(ctx, filter, v6, addr, len);
  if (name === GET_ENTRIES) return entries(ctx, filter, v6, addr, len);
  if (len !== REVISION_SIZE) return -EINVAL;
  const asked = copied(ctx, addr, REVISION_SIZE);
  if (asked === null) return -EFAULT;
  const part = textAt(asked, 0, PART_NAME_SIZE);
  const isMatch = name === (v6 ? REVISION_MATCH_V6 : REVISION_MATCH);
  const sizes = isMatch ? own(MATCHES, part) : own(TARGETS, part)?.[v6 ? 1 : 0];
  if (sizes === undefined) return -ENOENT;
  return (sizes[asked[PART_NAME_SIZE]!] ?? 0) > 0 ? 0 : -EPROTONOSUPPORT;
}

function own<T>(of: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}

function info(ctx: VfsContext, filter: Filter, v6: boolean, addr: number, len: number): number {
  if (len !== INFO_SIZE) return -EINVAL;
  const bytes = copied(ctx, addr, INFO_SIZE);
  if (bytes === null) return -EFAULT;
  const table = filter.table(v6, textAt(bytes, 0, NAME_SIZE));
  if (table === null) return -ENOENT;
  const view = new DataView(bytes.buffer);
  view.setUint32(32, table.validHooks, true);
  for (let i = 0; i < HOOKS; i++) {
    view.setUint32(36 + 4 * i, table.hookEntry[i]!, true);
    view.setUint32(56 + 4 * i, table.underflow[i]!, true);
  }
  view.setUint32(76, table.rules.length, true);
  view.setUint32(80, table.bytes.length, true);
  return ctx.mem.copyOutExact(addr, bytes, 0, INFO_SIZE);
}

function entries(ctx: VfsContext, filter: Filter, v6: boolean, addr: number, len: number): number {
  if (len < ENTRIES_SIZE) return -EINVAL;
  const head = copied(ctx, addr, ENTRIES_SIZE);
  if (head === null) return -EFAULT;
  const size = new DataView(head.buffer).getUint32(NAME_SIZE, true);
  if (len !== ENTRIES_SIZE + size) return -EINVAL;
  const table = filter.table(v6, textAt(head, 0, NAME_SIZE));
  if (table === null) return -ENOENT;
  if (size !== table.bytes.length) return -EAGAIN;
  const bytes = table.bytes.slice();
  const view = new DataView(bytes.buffer);
  for (const rule of table.rules) {
    putU64(view, rule.offset + table.layout.counters, rule.packets);
    putU64(view, rule.offset + table.layout.counters + 8, rule.bytes);
  }
  return ctx.mem.copyOutExact(addr + ENTRIES_SIZE, bytes, 0, size);
}
