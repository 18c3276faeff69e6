// Tables are guests' input: whatever is in them is read within bounds, in bounded time, and so are packets that pass.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EINVAL, ELOOP, ENOMEM } from '../../abi/errno.ts';
import { IPPROTO_UDP } from '../../abi/net/in.ts';
import { parseAddress } from '../address.ts';
import { Packet } from '../packet.ts';
import { CountedMemory, HandClock, newStack, receiveBytes, sendBytes } from '../testing.test.helper.ts';
import { putIpv4 } from '../wire/ipv4.ts';
import { Filter } from './filter.ts';
import { HOOKS, LAYOUT_V4, LAYOUT_V6, type Layout, LOCAL_IN, NF_ACCEPT, NF_DROP, TABLES } from './layout.ts';
import { runTable } from './run.ts';
import { type FilterTable, readTable } from './table.ts';
import {
  ACCEPT,
  chainsAt,
  DROP,
  type Part,
  RETURN,
  type RuleText,
  type TableText,
  tableOf,
} from './tables.test.helper.ts';
import { View } from './view.ts';

const LAYOUTS = [LAYOUT_V4, LAYOUT_V6];
const SECOND_US = 1e6;
const STATE: Part = { name: 'state', data: Uint8Array.of(0xff, 0xff, 0, 0) };
const TYPE: Part = { name: 'addrtype', data: new Uint8Array(12) };
const MARK: Part = { name: 'mark', revision: 1, data: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1) };
const PORTS: Part = { name: 'udp', data: Uint8Array.of(0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0) };
const LOG: Part = { name: 'LOG', data: new Uint8Array(32) };

function read(name: string, layout: Layout, t: TableText): FilterTable | number {
  return readTable(name, layout, t.bytes, t.count, t.hookEntry, t.underflow);
}

function filterOf(rules: RuleText[], chains: RuleText[] = [], policy = ACCEPT): FilterTable | number {
  return read('filter', LAYOUT_V4, tableOf('filter', LAYOUT_V4, rules, policy, chains));
}

/** A datagram of IPv4. */
function datagram(): Packet {
  const packet = new Packet(new Uint8Array(60), 0);
  packet.end = 60;
  putIpv4(
    packet.view,
    0,
    parseAddress('127.0.0.1')!,
    parseAddress('127.0.0.2')!,
    IPPROTO_UDP,
    64,
    60,
    0,
    1,
    0,
  );
  packet.src = parseAddress('127.0.0.1')!;
  packet.dst = parseAddress('127.0.0.2')!;
  packet.l3 = 0;
  packet.l4 = 20;
  packet.protocol = IPPROTO_UDP;
  return packet;
}

const stack = newStack(new HandClock());
const filter = new Filter(stack);

/** The verdict for a datagram that comes in. */
function verdict(table: FilterTable | number, hook = LOCAL_IN): number {
  assert.ok(typeof table !== 'number', `${table}`);
  return runTable(table, hook, new View().aim(datagram()), filter, filter);
}

/** The cpu time that a step takes, in us: other work on the machine does not count. */
function cpuUs(step: () => void): number {
  const before = process.cpuUsage();
  step();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

describe('what a table must be', () => {
  test('verdicts, policies and jumps', () => {
    assert.equal(verdict(filterOf([])), NF_ACCEPT);
    assert.equal(verdict(filterOf([], [], DROP)), NF_DROP);
    assert.equal(verdict(filterOf([{ target: DROP }])), NF_DROP);
    const to = chainsAt(1);
    const one = { target: { to } };
    assert.equal(verdict(filterOf([one], [{ target: RETURN }], DROP)), NF_DROP);
    assert.equal(verdict(filterOf([one], [{ target: ACCEPT }], DROP)), NF_ACCEPT);
    assert.equal(verdict(filterOf([{ proto: 6, target: { to } }], [{ target: DROP }])), NF_ACCEPT);
    assert.equal(verdict(filterOf([{ proto: IPPROTO_UDP, target: { to } }], [{ target: DROP }])), NF_DROP);
    assert.equal(verdict(filterOf([{ matches: [MARK], target: LOG }, { target: DROP }])), NF_DROP);
    // Who goes to a chain does not come back.
    const goes = [{ target: { to: chainsAt(2) }, goes: true }, { target: DROP }];
    assert.equal(verdict(filterOf(goes, [{ target: RETURN }])), NF_ACCEPT);
  });

  test('loops', () => {
    assert.equal(filterOf([{ target: { to: 0 } }]), -ELOOP);
    assert.equal(filterOf([{ proto: 6, target: ACCEPT }, { target: { to: 0 } }]), -ELOOP);
    const to = chainsAt(1);
    const chain = (n: number): RuleText => ({ target: { to: n } });
    assert.equal(filterOf([chain(to)], [chain(to + 1), chain(to)]), -ELOOP);
    // Into the middle of the chain that called.
    const odd = [{ proto: 6, target: ACCEPT }, chain(to + 3), { target: RETURN }, chain(to + 1)];
    assert.equal(filterOf([chain(to)], odd), -ELOOP);
    // Twice to the same chain is no loop.
    const twice = [{ proto: 6, target: { to: chainsAt(2) } }, { target: { to: chainsAt(2) } }];
    assert.equal(verdict(filterOf(twice, [{ target: RETURN }])), NF_ACCEPT);
  });

  test('bad sizes, offsets and counts', () => {
    const good = (): TableText => tableOf('filter', LAYOUT_V4, [{ matches: [STATE], target: DROP }]);
    const bad = (change: (t: TableText, view: DataView) => TableText | undefined): void => {
      const t = good();
      const changed = change(t, new DataView(t.bytes.buffer)) ?? t;
      assert.equal(read('filter', LAYOUT_V4, changed), -EINVAL);
    };
    assert.ok(typeof read('filter', LAYOUT_V4, good()) !== 'number');
    bad((t) => ({ ...t, count: t.count + 1 }));
    bad((t) => ({ ...t, count: t.count - 1 }));
    bad((t) => ({ ...t, count: 0xffffffff }));
    bad((t) => ({ ...t, bytes: t.bytes.slice(0, t.bytes.length - 8) }));
    bad((t) => ({ ...t, bytes: new Uint8Array(0) }));
    bad((t) => ({ ...t, hookEntry: t.hookEntry.map((n) => n + 8) }));
    bad((t) => ({ ...t, underflow: t.underflow.map(() => 0xfffffff8) }));
    // The policy is the rule with a match.
    bad((t) => ({ ...t, underflow: t.hookEntry }));
    for (const value of [0, 8, 0xfff8, 0xffff, LAYOUT_V4.size - 8]) {
      bad((_t, view) => void view.setUint16(LAYOUT_V4.nextOffset, value, true));
      bad((_t, view) => void view.setUint16(LAYOUT_V4.targetOffset, value, true));
    }
    for (const value of [0, 8, 31, 33, 0xffff]) {
      // Of the match, and of the target.
      bad((_t, view) => void view.setUint16(LAYOUT_V4.size, value, true));
      bad((_t, view) => void view.setUint16(LAYOUT_V4.size + 40, value, true));
    }
    for (const value of [-3, -4, -6, 4, 0x7ffffff8, -0x80000000])
      bad((_t, view) => void view.setInt32(LAYOUT_V4.size + 40 + 32, value, true));
    // The block ends in the middle of a chain.
    const open = tableOf('filter', LAYOUT_V4, [{ target: { to: chainsAt(1) } }], ACCEPT, [
      { proto: 6, target: DROP },
    ]);
    const cut = { ...open, count: open.count - 1, bytes: open.bytes.slice(0, open.bytes.length - 176) };
    assert.ok(typeof read('filter', LAYOUT_V4, open) !== 'number');
    assert.equal(read('filter', LAYOUT_V4, cut), -EINVAL);
  });

  test('what is about one protocol, and what does not belong there', () => {
    const udp = (proto: number | undefined): FilterTable | number =>
      filterOf([{ ...(proto === undefined ? {} : { proto }), matches: [PORTS], target: DROP }]);
    assert.ok(typeof udp(IPPROTO_UDP) !== 'number');
    assert.equal(udp(6), -EINVAL);
    assert.equal(udp(undefined), -EINVAL);
    const range = { name: 'MASQUERADE', data: Uint8Array.of(1, 0, 0, 0, ...new Uint8Array(16)) };
    assert.equal(filterOf([{ target: range }]), -EINVAL);
    assert.equal(filterOf([{ target: { name: 'NOSUCH', data: new Uint8Array(8) } }]), -EINVAL);
    for (const name of ['constructor', '__proto__', 'toString'])
      assert.equal(filterOf([{ matches: [{ name, data: new Uint8Array(8) }], target: DROP }]), -EINVAL);
  });
});

test('tables with anything in them are read or refused, and packets pass what was read', () => {
  const bases = LAYOUTS.flatMap((layout) =>
    Object.keys(TABLES).map((name) => ({
      name,
      layout,
      text: tableOf(
        name,
        layout,
        [
          { matches: [STATE], target: DROP },
          { proto: IPPROTO_UDP, matches: [PORTS, TYPE, MARK], target: LOG },
          { target: { to: 0 } },
        ],
        ACCEPT,
        [{ proto: 6, target: DROP }, { target: RETURN }],
      ),
    })),
  );
  let taken = 0;
  const where = fc.nat(1600);
  const change = fc.oneof(
    fc.tuple(where, fc.nat(255)).map(
      ([at, v]) =>
        (view: DataView) =>
          view.setUint8(at, v),
    ),
    fc.tuple(where, fc.constantFrom(0, 8, 40, 112, 152, 168, 208, 0xfff8, 0xffff)).map(
      ([at, v]) =>
        (view: DataView) =>
          view.setUint16(at & ~7, v, true),
    ),
    fc.tuple(where, fc.constantFrom(0, -1, -2, -5, 152, 192, 304, 0x7fffffff, -0x80000000)).map(
      ([at, v]) =>
        (view: DataView) =>
          view.setInt32(at & ~3, v, true),
    ),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...bases),
      fc.array(change, { maxLength: 4 }),
      fc.nat(20),
      fc.nat(12),
      ({ name, layout, text }, changes, where, count) => {
        const bytes = text.bytes.slice();
        const view = new DataView(bytes.buffer);
        for (const c of [...changes])
          try {
            c(view);
          } catch {
            // Behind the end.
          }
        const hookEntry = where < HOOKS ? text.hookEntry.with(where, text.underflow[where]!) : text.hookEntry;
        const table = readTable(
          name,
          layout,
          bytes,
          count > 10 ? count : text.count,
          hookEntry,
          text.underflow,
        );
        if (typeof table === 'number') {
          assert.ok([-EINVAL, -ELOOP].includes(table), `${table}`);
          return;
        }
        taken++;
        if (layout.v6) return;
        for (let hook = 0; hook < HOOKS; hook++) {
          if (table.first[hook]! < 0) continue;
          const v = runTable(table, hook, new View().aim(datagram()), filter, filter);
          assert.ok(v === NF_ACCEPT || v === NF_DROP, `${v}`);
        }
      },
    ),
    { numRuns: 20_000 },
  );
  assert.ok(taken > 100, `${taken}`);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 600 }),
      fc.nat(5),
      fc.constantFrom(...LAYOUTS),
      (bytes, count, layout) => {
        const r = readTable('filter', layout, bytes, count, [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]);
        assert.ok(typeof r === 'number' && r < 0);
      },
    ),
    { numRuns: 2000 },
  );
});

describe('time is bounded', () => {
  const MOST = 4 << 20;
  const half = Math.floor(MOST / 152 / 2) - 8;

  test('jumps to each rule of a long chain', () => {
    const jumps = Array.from({ length: half }, (_, i) => ({ proto: 6, target: { to: chainsAt(half) + i } }));
    const chain = Array.from({ length: half }, () => ({ proto: 6, target: DROP }));
    const text = tableOf('filter', LAYOUT_V4, jumps, ACCEPT, [...chain, { target: RETURN }]);
    assert.ok(text.bytes.length > MOST * 0.9);
    let table: FilterTable | number = 0;
    const us = cpuUs(() => {
      table = read('filter', LAYOUT_V4, text);
    });
    assert.ok(us < 2 * SECOND_US, `${us} us`);
    assert.equal(verdict(table), NF_ACCEPT);
  });

  test('chains that call each other twice: 2^n', () => {
    const chains: RuleText[] = [];
    for (let n = 0; n < 60; n++) {
      const next = chainsAt(1) + 3 * (n + 1);
      chains.push({ target: { to: next } }, { target: { to: next } }, { target: RETURN });
    }
    chains.push({ target: RETURN });
    const table = filterOf([{ target: { to: chainsAt(1) } }], chains);
    const us = cpuUs(() => assert.equal(verdict(table), NF_DROP));
    assert.ok(us < 2 * SECOND_US, `${us} us`);
  });

  test('rules that are all matches, in such chains', () => {
    const matches = Array.from({ length: 1300 }, () => TYPE);
    const chains: RuleText[] = [];
    for (let n = 0; n < 30; n++) {
      const next = chainsAt(1) + 3 * (n + 1);
      chains.push({ matches, target: { to: next } }, { matches, target: { to: next } }, { target: RETURN });
    }
    chains.push({ target: RETURN });
    const table = filterOf([{ target: { to: chainsAt(1) } }], chains);
    const us = cpuUs(() => assert.equal(verdict(table), NF_DROP));
    assert.ok(us < 2 * SECOND_US, `${us} us`);
  });

  test('chains that are too deep', () => {
    const chains: RuleText[] = [];
    for (let n = 0; n < 300; n++)
      chains.push({ target: { to: chainsAt(1) + 2 * (n + 1) } }, { target: RETURN });
    chains.push({ target: RETURN });
    assert.equal(filterOf([{ target: { to: chainsAt(1) } }], chains), -ELOOP);
  });
});

describe('what is kept', () => {
  const tracking = (): FilterTable => filterOf([{ matches: [STATE], target: ACCEPT }]) as FilterTable;

  test('a table that does not fit is refused, and what was paid comes back', () => {
    const memory = new CountedMemory();
    const s = newStack(new HandClock(), 1, memory);
    const before = memory.used;
    const f = new Filter(s);
    assert.equal(f.set(false, tracking()), 0);
    const held = memory.used;
    assert.ok(held > before);
    memory.most = held + 100;
    const rules = Array.from({ length: 100 }, () => ({ proto: 6, target: DROP }));
    assert.equal(f.set(false, filterOf(rules) as FilterTable), -ENOMEM);
    assert.equal(memory.used, held);
    assert.ok(s.hooks !== null);
    f.clear();
    assert.equal(s.hooks, null);
    assert.equal(memory.used, before);
  });

  test('connections: a bound, room by the oldest that nobody answered, all of it given back', () => {
    const clock = new HandClock();
    const memory = new CountedMemory();
    const s = newStack(clock, 1, memory);
    const f = new Filter(s);
    assert.equal(f.set(false, tracking()), 0);
    const a = s.udp.open(false);
    const b = s.udp.open(false);
    assert.equal(a.bind(parseAddress('127.0.0.1')!, 1000), 0);
    assert.equal(b.bind(parseAddress('127.0.0.1')!, 1001), 0);
    const there = (): void => {
      assert.equal(sendBytes(a, Uint8Array.of(1), '127.0.0.1', 1001), 1);
      s.flush();
      assert.ok(typeof receiveBytes(b) !== 'number');
      assert.equal(sendBytes(b, Uint8Array.of(2), '127.0.0.1', 1000), 1);
      s.flush();
      assert.ok(typeof receiveBytes(a) !== 'number');
    };
    there();
    assert.equal(f.tracker.count, 1);
    for (let n = 0; n < 70_000; n++) {
      sendBytes(a, Uint8Array.of(1), `127.0.${1 + (n >>> 12)}.1`, 2000 + (n & 0xfff));
      s.flush();
      a.takeError();
    }
    assert.equal(f.tracker.count, 65536);
    there();
    assert.equal(f.tracker.count, 65536);
    clock.advance(200e9);
    there();
    for (let n = 0; n < 600; n++) {
      sendBytes(a, Uint8Array.of(1), '127.0.100.1', 2000 + n);
      s.flush();
      a.takeError();
    }
    assert.ok(f.tracker.count < 1000, `${f.tracker.count}`);
    a.close();
    b.close();
    f.clear();
    assert.equal(f.tracker.count, 0);
  });
});
