// What stands behind the platforms: what a host process that runs guest code could do if it ever made a call of its own.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PROT_EXEC, PROT_READ } from '../../abi/memory/mman.ts';
import { SIGSYS } from '../../abi/signal/signal.ts';
import { SYS_getppid } from '../../abi/syscall.ts';
import { Assembler, EAX, imm } from '../../asm/index.ts';
import { HostPoller } from '../../host/poller.ts';
import { ptraceResume, waitFor, waitStatus } from '../../host/ptrace.ts';
import { MemoryFile } from '../memfile/memfile.ts';
import { EV_SYSCALL, type Platform } from './platform.ts';
import { PtracePlatform } from './ptrace/ptrace.ts';
import { RIP } from './regs.ts';
import { SystrapPlatform } from './systrap/systrap.ts';

const CODE = 0x10000;

const KINDS: readonly [string, (memfile: MemoryFile, pollerFd: number) => Platform][] = [
  ['ptrace', (m, fd) => new PtracePlatform(m, fd)],
  ['systrap', (m, fd) => new SystrapPlatform(m, fd)],
];

/** Values of /proc/PID/status by name. */
function status(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
  return new Map(lines.map((line) => line.split(/:\s+/, 2) as [string, string]));
}

/** What the process has open, without the numbers. */
const open = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/, ''));

/** Does the host let a process like us have namespaces of its own? */
function hostLetsUnshare(): boolean {
  if ((Number.parseInt(status(process.pid).get('CapEff')!.slice(-8), 16) & (1 << 21)) !== 0) return true;
  try {
    return Number(readFileSync('/proc/sys/user/max_user_namespaces', 'utf8')) > 0;
  } catch {
    return false;
  }
}

for (const [name, start] of KINDS)
  describe(`host processes of ${name}`, () => {
    it('have nothing that they do not need', () => {
      const memfile = MemoryFile.create();
      assert.ok(typeof memfile !== 'number');
      const platform = start(memfile, new HostPoller().fd);
      try {
        const as = platform.newAddressSpace();
        assert.ok(typeof as !== 'number');
        const code = new Assembler({ base: CODE });
        code.label('again').mov(EAX, imm(SYS_getppid)).syscall().jmp('again');
        const frame = memfile.alloc(1);
        memfile.u8(frame).set(code.finish(), memfile.byteOffset(frame));
        as.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
        const ctx = platform.newContext();
        assert.equal(ctx.prepare(as), 0);
        ctx.regs.set(RIP, CODE);
        ctx.resume(as);
        while (platform.wait(true) !== ctx);
        assert.equal(ctx.event, EV_SYSCALL);

        const pids = platform.pids();
        assert.ok(pids.length >= 2);
        for (const pid of pids) {
          // The waker puts its filter on as the first thing it does, which the Sentry does not wait for.
          const end = Date.now() + 5000;
          while (status(pid).get('Seccomp') !== '2' && Date.now() < end);
          const s = status(pid);
          assert.equal(s.get('NoNewPrivs'), '1');
          assert.equal(s.get('Seccomp'), '2', 'a filter');
          for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
            assert.equal(Number(`0x${s.get(set)}`), 0, set);
          assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +1 +1 +bytes/m);
          for (const file of open(pid))
            assert.match(file, /^(\/memfd:vedette-memory|socket:|anon_inode:\[(eventfd|eventpoll)\])/);
          if (hostLetsUnshare())
            for (const ns of ['net', 'mnt', 'ipc', 'uts'])
              assert.notEqual(readlinkSync(`/proc/${pid}/ns/${ns}`), readlinkSync(`/proc/self/ns/${ns}`), ns);
        }

        // Let off without the Sentry's eye on it, the thread makes its next call itself.
        if (!(platform instanceof PtracePlatform)) return;
        assert.ok(ptraceResume(ctx.hostTid) >= 0);
        assert.equal(waitFor(ctx.hostTid), ctx.hostTid);
        assert.equal(waitStatus() & 0x7f, SIGSYS, 'killed by the filter');
      } finally {
        platform.shutdown();
      }
    });
  });
