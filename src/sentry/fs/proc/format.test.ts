import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { test } from 'node:test';
import type { InetNamespace } from '../../socket/inet/namespace.ts';
import { cpuinfoText } from './cpuinfo.ts';
import { cpuList, cpuMask, escapeOctal, hex64, kb } from './format.ts';
import { NetTables } from './net.ts';
import { randomUuid } from './sysctl.ts';

const on = (n: number): boolean[] => new Array<boolean>(n).fill(true);

test('CPU masks and lists', () => {
  assert.equal(cpuMask(on(1)), '1');
  assert.equal(cpuMask(on(2)), '3');
  assert.equal(cpuMask(on(6)), '3f');
  assert.equal(cpuMask(on(40)), 'ff,ffffffff');
  assert.equal(cpuMask([true, false, false, false, true]), '11');
  assert.equal(cpuList(on(1)), '0');
  assert.equal(cpuList(on(4)), '0-3');
  assert.equal(cpuList([true, true, false, true, false, true, true]), '0-1,3,5-6');
});

test('numbers and escapes', () => {
  assert.equal(hex64(0x1ff, 0xffffffff), '000001ffffffffff');
  assert.equal(kb('MemTotal:       ', 24684092, 8), 'MemTotal:       24684092 kB\n');
  assert.equal(escapeOctal('a b\tc\\d\n', ' \t\n\\'), 'a\\040b\\011c\\134d\\012');
  assert.match(randomUuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('cpuinfo repeats the host processor', () => {
  const text = cpuinfoText(3);
  const blocks = text.trimEnd().split('\n\n');
  assert.equal(blocks.length, 3);
  assert.match(blocks[2]!, /^processor\t: 2\n/);
  assert.match(blocks[2]!, /\ncpu cores\t: 3\n/);
  const native = readFileSync('/proc/cpuinfo', 'latin1').split('\n\n')[0]!;
  const names = (block: string): string[] => block.split('\n').map((l) => l.split(':')[0]!);
  assert.deepEqual(names(blocks[0]!), names(native));
  // With as many CPUs as the host, text and host agree but for frequencies.
  const still = (s: string): string =>
    s.replaceAll(
      /(cpu MHz|bogomips|apicid|initial apicid|core id|siblings|cpu cores|physical id)\s*:.*/g,
      '',
    );
  assert.equal(still(cpuinfoText(cpus().length).split('\n\n')[0]!), still(native));
});

test('net tables have the headings of the host', () => {
  const tables = new NetTables();
  for (const name of [
    'tcp',
    'tcp6',
    'udp',
    'udp6',
    'raw',
    'unix',
    'dev',
    'route',
    'arp',
    'packet',
    'netlink',
  ]) {
    let native: string;
    try {
      native = readFileSync(`/proc/net/${name}`, 'latin1');
    } catch {
      continue;
    }
    const ours = tables.text(name) as string;
    assert.equal(ours, native.slice(0, ours.length), name);
  }
  tables.register('unix', () => 'row\n');
  const ns = {} as InetNamespace;
  assert.match(tables.text('unix', ns) as string, /Path\nrow\n$/);
});
