import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { needs } from '../../test/harness/needs.ts';
import * as abi from './index.ts';

type Encode = (view: DataView, off: number, s: unknown) => void;
type Decode = (view: DataView, off: number) => unknown;

const ROOM = 512;
const OFF = 8;

const exports = abi as unknown as Record<string, unknown>;
const codecs = Object.keys(exports)
  .filter((name) => name.startsWith('encode') && name.replace('encode', 'decode') in exports)
  .filter((name) => name !== 'encodeSockaddrUn')
  .map((name) => ({
    name: name.slice('encode'.length),
    encode: exports[name] as Encode,
    decode: exports[name.replace('encode', 'decode')] as Decode,
  }));

const bytes = fc.uint8Array({ minLength: ROOM, maxLength: ROOM });

test('what a codec writes it reads back', () => {
  assert.ok(codecs.length > 30, `${codecs.length} codecs`);
  for (const { name, encode, decode } of codecs) {
    fc.assert(
      fc.property(bytes, (memory) => {
        const value = decode(new DataView(memory.buffer), OFF);
        const view = new DataView(new ArrayBuffer(ROOM));
        encode(view, OFF, value);
        assert.deepEqual(decode(view, OFF), value, name);
      }),
      { numRuns: 50 },
    );
  }
});

test('an encoder overwrites the whole struct, gaps included, and nothing else', () => {
  // Stands for a struct whose fields, and those of its parts, are all 0.
  const zeros: unknown = new Proxy(() => 0, {
    get: (target, field) => (field === Symbol.toPrimitive ? target : zeros),
  });
  const encoders = Object.entries(exports).filter(([name, f]) => {
    return name.startsWith('encode') && name !== 'encodeSockaddrUn' && (f as Encode).length === 3;
  });
  assert.ok(encoders.length > 40, `${encoders.length} encoders`);
  for (const [encoder, encode] of encoders as [string, Encode][]) {
    const name = encoder.slice('encode'.length);
    const codec = codecs.find((c) => c.name === name);
    const value = codec === undefined ? zeros : codec.decode(new DataView(new ArrayBuffer(ROOM)), OFF);
    const memory = new Uint8Array(ROOM).fill(0xff);
    encode(new DataView(memory.buffer), OFF, value);
    const end = memory.indexOf(0xff, OFF);
    assert.ok(
      memory.subarray(0, OFF).every((b) => b === 0xff),
      name,
    );
    assert.ok(
      memory.subarray(end).every((b) => b === 0xff),
      `${name}: old bytes remain in the struct`,
    );
    const constant = `SIZEOF_${name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toUpperCase()}`;
    const size = exports[constant];
    if (typeof size === 'number') assert.equal(end - OFF, size, name);
  }
});

test('decodeStat reads what stat(2) wrote', needs('cc'), (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'abi-stat-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const source = join(dir, 'stat.c');
  writeFileSync(
    source,
    `#include <sys/stat.h>
     #include <unistd.h>
     int main(int argc, char **argv) { struct stat s; stat(argv[1], &s); write(1, &s, sizeof s); return 0; }`,
  );
  assert.equal(spawnSync('cc', ['-w', '-o', join(dir, 'stat'), source]).status, 0);
  for (const path of [source, '/dev/null', dir]) {
    const out = spawnSync(join(dir, 'stat'), [path]).stdout;
    const s = abi.decodeStat(new DataView(out.buffer, out.byteOffset, out.length), 0);
    const want = statSync(path, { bigint: true });
    assert.equal(BigInt(s.dev), want.dev);
    assert.equal(BigInt(s.ino), want.ino);
    assert.equal(BigInt(s.nlink), want.nlink);
    assert.equal(BigInt(s.mode), want.mode);
    assert.equal(BigInt(s.rdev), want.rdev);
    assert.equal(BigInt(s.size), want.size);
    assert.equal(BigInt(s.blksize), want.blksize);
    assert.equal(BigInt(s.blocks), want.blocks);
    assert.equal(BigInt(s.mtimeSec) * 1_000_000_000n + BigInt(s.mtimeNsec), want.mtimeNs);
    assert.equal(BigInt(s.ctimeSec) * 1_000_000_000n + BigInt(s.ctimeNsec), want.ctimeNs);
  }
});

test('u64: numbers within 2^53 are exact, larger ones saturate', () => {
  const view = new DataView(new ArrayBuffer(8));
  fc.assert(
    fc.property(fc.maxSafeInteger(), (n) => {
      abi.putU64(view, 0, n);
      assert.equal(view.getBigInt64(0, true), BigInt(n));
      assert.equal(abi.getI64(view, 0), n);
      assert.equal(abi.getU64(view, 0), Number(BigInt.asUintN(64, BigInt(n))));
    }),
  );
  for (const n of [0, 1, -1, 0xffff_ffff, 0x1_0000_0000, -0x8000_0000, 2 ** 52, 2 ** 63, -(2 ** 63)]) {
    abi.putU64(view, 0, n);
    assert.equal(view.getBigUint64(0, true), BigInt.asUintN(64, BigInt(n)), String(n));
  }
  abi.putU64(view, 0, abi.RLIM_INFINITY);
  assert.equal(view.getBigUint64(0, true), 0xffff_ffff_ffff_ffffn);
  assert.equal(abi.getU64(view, 0), abi.RLIM_INFINITY);
  assert.equal(abi.U64_MAX, abi.RLIM_INFINITY);
});

test('dirent64: records are 8-byte multiples with a NUL behind the name', () => {
  assert.deepEqual([1, 4, 5, 12, 13].map(abi.dirent64Size), [24, 24, 32, 32, 40]);
  assert.deepEqual([1, 4, 5, 12, 13].map(abi.direntSize), [24, 24, 32, 32, 40]);
  const memory = new Uint8Array(64).fill(0xff);
  const size = abi.encodeDirent64(new DataView(memory.buffer), 0, 7, -1, abi.DT_DIR, 'name');
  assert.equal(size, 24);
  assert.equal(memory[abi.DIRENT64_D_TYPE], abi.DT_DIR);
  assert.equal(Buffer.from(memory.subarray(abi.DIRENT64_D_NAME, size)).toString(), 'name\0');
  assert.equal(memory[size], 0xff);
  memory.fill(0xff);
  assert.equal(abi.encodeDirent(new DataView(memory.buffer), 0, 7, 1, abi.DT_REG, 'name'), 24);
  assert.equal(memory[23], abi.DT_REG);
  assert.equal(Buffer.from(memory.subarray(abi.LINUX_DIRENT_D_NAME, 23)).toString(), 'name\0');
});

test('sockaddr_un: path, abstract and unnamed addresses', () => {
  const memory = new Uint8Array(128).fill(0xff);
  const view = new DataView(memory.buffer);
  for (const [path, length] of [
    ['', 2],
    ['/run/s', 9],
    ['\0abc\0d', 8],
    ['x'.repeat(abi.UNIX_PATH_MAX), abi.SIZEOF_SOCKADDR_UN],
  ] as const) {
    assert.equal(abi.encodeSockaddrUn(view, 0, path), length);
    assert.equal(view.getUint16(0, true), abi.AF_UNIX);
    assert.equal(abi.decodeSockaddrUn(view, 0, length), path);
  }
});

test('siginfo: the union member follows signal and code', () => {
  for (const [signo, code, layout] of [
    [abi.SIGTERM, abi.SI_USER, abi.SIL_KILL],
    [abi.SIGTERM, abi.SI_TKILL, abi.SIL_RT],
    [abi.SIGALRM, abi.SI_TIMER, abi.SIL_TIMER],
    [abi.SIGSEGV, abi.SEGV_MAPERR, abi.SIL_FAULT],
    [abi.SIGSEGV, abi.SEGV_PKUERR, abi.SIL_FAULT_PKUERR],
    [abi.SIGSEGV, abi.SI_KERNEL, abi.SIL_KILL],
    [abi.SIGCHLD, abi.CLD_EXITED, abi.SIL_CHLD],
    [abi.SIGSYS, abi.SYS_SECCOMP, abi.SIL_SYS],
    [abi.SIGIO, abi.POLL_IN, abi.SIL_POLL],
    [abi.SIGRTMIN + 1, abi.POLL_IN, abi.SIL_POLL],
  ] as const) {
    assert.equal(abi.siginfoLayout(signo, code), layout, `${abi.signalName(signo)} ${code}`);
  }
  const view = new DataView(new ArrayBuffer(abi.SIZEOF_SIGINFO));
  const info = abi.newSiginfo(abi.SIGCHLD, abi.CLD_KILLED);
  info.pid = 42;
  info.uid = 1000;
  info.status = abi.SIGKILL;
  abi.encodeSiginfo(view, 0, info);
  assert.equal(view.getInt32(abi.SIGINFO_SI_PID, true), 42);
  assert.equal(view.getInt32(abi.SIGINFO_SI_STATUS, true), abi.SIGKILL);
  assert.deepEqual(abi.decodeSiginfo(view, 0), info);
});

test('names of errnos, signals and system calls', () => {
  assert.equal(abi.errnoName(abi.EWOULDBLOCK), 'EAGAIN');
  assert.equal(abi.errnoName(abi.ERESTARTSYS), 'ERESTARTSYS');
  assert.equal(abi.errnoName(9999), 'errno_9999');
  assert.equal(abi.signalName(abi.SIGIOT), 'SIGABRT');
  assert.equal(abi.signalName(abi.SIGPOLL), 'SIGIO');
  assert.equal(abi.signalName(2), 'SIGINT');
  assert.equal(abi.signalName(34), 'SIGRT_2');
  assert.equal(abi.signalName(65), 'SIG_65');
  assert.equal(abi.syscallName(abi.SYS_openat), 'openat');
  assert.equal(abi.syscallName(400), 'syscall_400');
});

test('control message lengths, device and ioctl numbers', () => {
  assert.equal(abi.cmsgLen(4), 20);
  assert.equal(abi.cmsgSpace(4), 24);
  const dev = abi.makedev(0xabc, 0xdef12);
  assert.equal(abi.major(dev), 0xabc);
  assert.equal(abi.minor(dev), 0xdef12);
  assert.equal(abi.makedev(1, 3), 0x103);
  assert.equal(abi.ioc(abi._IOC_READ, 'T'.charCodeAt(0), 0x30, 4), abi.TIOCGPTN);
  assert.equal(abi.iocSize(abi.TIOCGPTN), 4);
});
