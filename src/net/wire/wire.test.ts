// Properties of checksums and of the pieces that packets are cut into and put together from.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { ipv4, LOOPBACK_V6, parseAddress } from '../address.ts';
import { fragmentIpv4, fragmentIpv6 } from '../ip/fragment.ts';
import { splitPacket } from '../link/gso.ts';
import { Packet, SUM_MISSING } from '../packet.ts';
import { pattern } from '../testing.test.helper.ts';
import { adjusted, finishSum, fold, pseudoSum, sumBytes, sumPacket, transportSum } from './checksum.ts';
import { clonePacket, pullPacket, slicePayload, trimPacket } from './clone.ts';
import { checkIpv4, putIpv4 } from './ipv4.ts';
import { putIpv6 } from './ipv6.ts';

/** RFC 1071, word by word. */
function plainSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** 0 and 0xffff are the same sum. */
const same = (a: number, b: number): boolean => a % 0xffff === b % 0xffff;

const someBytes = fc.uint8Array({ maxLength: 300 });

test('sums of any bytes at any place, whole or in parts of any length', () => {
  fc.assert(
    fc.property(someBytes, fc.array(someBytes, { maxLength: 6 }), fc.nat(20), (head, parts, before) => {
      const packet = new Packet(new Uint8Array(before + head.length), before);
      packet.head.set(head, before);
      for (const part of parts) packet.append(part);
      const whole = packet.bytes();
      assert.ok(same(fold(sumBytes(whole, 0, whole.length)), plainSum(whole)));
      assert.ok(same(sumPacket(packet, before), plainSum(whole)));
    }),
  );
  // Carries from all of 64 KiB.
  const full = new Uint8Array(65535).fill(0xff);
  assert.ok(same(fold(sumBytes(full, 0, full.length)), plainSum(full)));
});

test('the sums that RFC 1071 and a real packet tell', () => {
  const example = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(fold(sumBytes(example, 0, 8)), 0xddf2);
  // Computed apart from this code: 20 bytes of IPv4, 172.16.10.99 to 172.16.10.12.
  const packet = new Packet();
  const at = packet.push(20);
  putIpv4(packet.view, at, ipv4(0xac100a63), ipv4(0xac100a0c), 6, 60, 64, 0, 0x1c46, 0x4000);
  assert.equal(packet.view.getUint16(at + 10), 0xb1e6);
  assert.equal(checkIpv4(packet.view, at, 20, 60), 20);
  packet.view.setUint8(at + 8, 63);
  assert.equal(checkIpv4(packet.view, at, 20, 60), -1);
});

test('a checksum is adjusted for one changed word', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { minLength: 2, maxLength: 40 }),
      fc.nat(),
      fc.nat(0xffff),
      (words, i, is) => {
        const at = i % words.length;
        const checksum = ~fold(words.reduce((a, b) => a + b, 0)) & 0xffff;
        const was = words[at]!;
        const changed = words.with(at, is);
        const anew = ~fold(changed.reduce((a, b) => a + b, 0)) & 0xffff;
        assert.ok(same(adjusted(checksum, was, is), anew));
      },
    ),
  );
});

test('trim, pull, slice and clone keep the bytes', () => {
  fc.assert(
    fc.property(fc.array(someBytes, { maxLength: 5 }), fc.nat(1500), fc.nat(1500), (parts, a, b) => {
      const make = (): Packet => {
        const packet = new Packet(pattern(40), 0);
        for (const part of parts) packet.append(part);
        return packet;
      };
      const whole = make().bytes();
      const [from, size] = [a % whole.length, 1 + (b % whole.length)];
      const trimmed = make();
      trimPacket(trimmed, size);
      assert.deepEqual(trimmed.bytes(), whole.subarray(0, size));
      assert.equal(
        trimmed.length,
        trimmed.parts.reduce((n, p) => n + p.length, 0),
      );
      const pulled = make();
      assert.equal(pullPacket(pulled, 0, size), true);
      assert.ok(pulled.end >= size);
      assert.deepEqual(pulled.bytes(), whole);
      assert.equal(pullPacket(make(), 0, whole.length + 1), false);
      const sliced = new Packet(new Uint8Array(0));
      const length = Math.min(size, whole.length - from);
      slicePayload(sliced, make(), 0, from, length);
      assert.deepEqual(sliced.bytes(), whole.subarray(from, from + length));
      assert.deepEqual(clonePacket(make()).bytes(), whole);
    }),
  );
});

/** A packet of `length` bytes of payload, in parts of any size, behind a header of a transport. */
function transportPacket(v4: boolean, protocol: number, length: number, cut: number): Packet {
  const packet = new Packet();
  const data = pattern(length);
  for (let i = 0; i < length; i += cut) packet.append(data.subarray(i, i + cut));
  const header = protocol === IPPROTO_TCP ? 32 : 8;
  const at = packet.push(header);
  if (protocol === IPPROTO_TCP) {
    packet.view.setUint32(at + 4, 0xfffffff0);
    packet.view.setUint16(at + 12, (8 << 12) | 0x99);
  } else packet.view.setUint16(at + 4, 8 + length);
  packet.protocol = protocol;
  packet.src = v4 ? ipv4(0x0a000001) : LOOPBACK_V6;
  packet.dst = v4 ? ipv4(0x0a000002) : parseAddress('fd00::2')!;
  packet.l4 = at;
  if (v4) {
    packet.l3 = packet.push(20);
    putIpv4(packet.view, packet.l3, packet.src, packet.dst, protocol, packet.size, 64, 0, 65534, 0);
  } else {
    packet.l3 = packet.push(40);
    putIpv6(packet.view, packet.l3, packet.src, packet.dst, protocol, packet.size - 40, 64, 0, 0);
  }
  return packet;
}

test('large packets are split into packets that are right each by itself', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 1, max: 20000 }),
      fc.integer({ min: 100, max: 1448 }),
      fc.integer({ min: 1, max: 5000 }),
      (v4, tcp, length, segment, cut) => {
        const protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
        const packet = transportPacket(v4, protocol, length, cut);
        packet.segment = segment;
        packet.sum = SUM_MISSING;
        const header = tcp ? 32 : 8;
        const data: number[] = [];
        for (const piece of splitPacket(packet)) {
          const at = data.length;
          finishSum(piece);
          assert.equal(transportSum(piece, piece.l4, protocol), 0);
          if (v4) assert.equal(checkIpv4(piece.view, piece.l3, piece.end - piece.l3, piece.size), 20);
          const payload = piece.bytes().subarray(piece.l4 + header - piece.start);
          assert.ok(payload.length <= segment);
          data.push(...payload);
          if (tcp) {
            assert.equal(piece.view.getUint32(piece.l4 + 4), (0xfffffff0 + at) >>> 0);
            const flags = piece.view.getUint8(piece.l4 + 13);
            assert.equal(
              (flags & 0x09) === 0x09,
              data.length === length,
              'FIN and PSH are the last one alone',
            );
            assert.equal((flags & 0x80) !== 0, at === 0, 'CWR is the first one alone');
          } else assert.equal(piece.view.getUint16(piece.l4 + 4), 8 + payload.length);
        }
        assert.deepEqual(Uint8Array.from(data), pattern(length));
      },
    ),
    { numRuns: 60 },
  );
});

test('fragments carry all bytes, none is larger than the MTU, and all but the last are multiples of 8', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.integer({ min: 1, max: 40000 }),
      fc.integer({ min: 68, max: 9000 }),
      fc.integer({ min: 1, max: 9000 }),
      (v4, length, mtu, cut) => {
        const packet = transportPacket(v4, IPPROTO_UDP, length, cut);
        const whole = packet.bytes().subarray(v4 ? 20 : 40);
        const header = v4 ? 20 : 48;
        const pieces = (v4 ? fragmentIpv4(packet, mtu) : fragmentIpv6(packet, mtu, 7))!;
        const joined = new Uint8Array(whole.length);
        for (const [i, piece] of pieces.entries()) {
          const last = i === pieces.length - 1;
          assert.ok(piece.size <= mtu);
          const data = piece.bytes().subarray(header);
          if (!last) assert.equal(data.length % 8, 0);
          const word = piece.view.getUint16(piece.start + (v4 ? 6 : 42));
          joined.set(data, v4 ? (word & 0x1fff) * 8 : word & 0xfff8);
          assert.equal((word & (v4 ? 0x2000 : 1)) !== 0, !last);
        }
        assert.deepEqual(joined, whole);
      },
    ),
    { numRuns: 60 },
  );
  assert.equal(fragmentIpv4(transportPacket(true, IPPROTO_UDP, 100, 10), 27), undefined);
});

test('the pseudo-header of both families', () => {
  assert.equal(fold(pseudoSum(ipv4(0x0a000001), ipv4(0x0a000002), 17, 8)), 0x0a00 + 1 + 0x0a00 + 2 + 17 + 8);
  assert.equal(fold(pseudoSum(LOOPBACK_V6, LOOPBACK_V6, 58, 8)), 2 + 58 + 8);
});
