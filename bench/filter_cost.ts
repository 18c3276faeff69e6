// What the packet filter costs a datagram of 64 bytes on loopback, from one socket of a stack to another: without one, with tables that
// were looked at or emptied, and with rules. node dist/bench/filter_cost.js [ROUNDS]; each round runs all in turn, the ratios
// are of the fastest rounds by cpu time.

import { parseAddress } from '../src/net/address.ts';
import { Filter } from '../src/net/filter/filter.ts';
import { LAYOUT_V4 } from '../src/net/filter/layout.ts';
import { type FilterTable, readTable } from '../src/net/filter/table.ts';
import { ACCEPT, DROP, type RuleText, tableOf } from '../src/net/filter/tables.test.helper.ts';
import { HandClock, newStack, receiveBytes, sendBytes } from '../src/net/testing.test.helper.ts';

const rounds = Number(process.argv[2] ?? 40);
const PACKETS = 20_000;
const data = new Uint8Array(64);

function table(rules: RuleText[]): FilterTable {
  const t = tableOf('filter', LAYOUT_V4, rules);
  const made = readTable('filter', LAYOUT_V4, t.bytes, t.count, t.hookEntry, t.underflow);
  if (typeof made === 'number') throw new Error(`table: ${made}`);
  return made;
}

const other: RuleText = { proto: 6, target: DROP };
const state: RuleText = {
  matches: [{ name: 'state', data: Uint8Array.of(0xff, 0xff, 0, 0) }],
  target: ACCEPT,
};
const CASES: readonly [name: string, prepare: (f: Filter) => void][] = [
  ['no filter', () => {}],
  ['the same again', () => {}],
  ['tables listed', (f) => void f.table(false, 'filter')],
  [
    'rules set and flushed',
    (f) => {
      f.set(false, table([other]));
      f.set(false, table([]));
    },
  ],
  ['one rule', (f) => void f.set(false, table([other]))],
  ['100 rules', (f) => void f.set(false, table(Array.from({ length: 100 }, () => other)))],
  ['connections tracked', (f) => void f.set(false, table([state]))],
];

const worlds = CASES.map(([name, prepare]) => {
  const stack = newStack(new HandClock());
  prepare(new Filter(stack));
  const [a, b] = [stack.udp.open(false), stack.udp.open(false)];
  b.bind(parseAddress('127.0.0.1')!, 7000);
  a.connect(parseAddress('127.0.0.1')!, 7000);
  return { name, stack, a, b, bestNs: Number.POSITIVE_INFINITY };
});

for (let round = 0; round < rounds; round++) {
  for (const w of worlds) {
    const before = process.cpuUsage();
    for (let n = 0; n < PACKETS; n++) {
      sendBytes(w.a, data);
      w.stack.flush();
      if (typeof receiveBytes(w.b, 0, 64) === 'number') throw new Error(`${w.name}: nothing came`);
    }
    const { user, system } = process.cpuUsage(before);
    w.bestNs = Math.min(w.bestNs, ((user + system) * 1000) / PACKETS);
  }
}
for (const { name, bestNs } of worlds)
  console.log(
    `${name.padEnd(24)} ${bestNs.toFixed(0).padStart(6)} ns  ${(bestNs / worlds[0]!.bestNs).toFixed(2)}`,
  );
