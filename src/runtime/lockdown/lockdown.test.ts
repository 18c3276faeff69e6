// Somebody who runs code of their own in the kernel process: what they would try first is refused, on every thread's behalf.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { AT_FDCWD, O_CREAT, O_RDWR, O_TMPFILE, O_WRONLY } from '../../abi/fs/fcntl.ts';
import { TIOCSTI } from '../../abi/ioctl.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/memory/mman.ts';
import { AF_INET, AF_UNIX, SOCK_STREAM } from '../../abi/net/socket.ts';
import { PTRACE_POKEDATA, PTRACE_SEIZE } from '../../abi/process/ptrace.ts';
import { CLONE_NEWUSER } from '../../abi/process/sched.ts';
import * as nr from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { rulesOf } from '../../host/call_parts.ts';
import { hostCall } from '../../host/syscall.ts';
import { partsOf, takeEffect } from './lockdown.ts';

const MODE = 'VEDETTE_TEST_LOCKDOWN';
const FOR_CHILD = process.env[MODE];
const RW = PROT_READ | PROT_WRITE;
const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;

/** What a sandbox has to say for its rules. */
function options(network: 'none' | 'user', shared: boolean, gofer = false) {
  const mounts = shared ? [{ source: '/tmp', target: '/m', readonly: false, shared: true }] : [];
  return { gofer, overlay: null, mounts, network: { mode: network } };
}

if (FOR_CHILD !== undefined) {
  const [platform, network, shared, gofer] = FOR_CHILD.split(' ');
  const memory = HostBuffer.alloc(4096);
  const path = memory.putString('/tmp/vedette-lockdown-test');
  const at = hostCall(nr.SYS_mmap, 0, 4096, RW, ANONYMOUS, -1, 0);
  takeEffect(rulesOf(partsOf(options(network as 'none', shared === 'shared', gofer === 'gofer'), platform!)));
  const tries: Record<string, readonly number[]> = {
    execve: [nr.SYS_execve, path, 0, 0],
    execveat: [nr.SYS_execveat, AT_FDCWD, path, 0, 0, 0],
    fork: [nr.SYS_fork],
    'clone a thread': [nr.SYS_clone, 0x10f00, 0, 0, 0, 0],
    clone3: [nr.SYS_clone3, memory.addr, 88],
    'create a file': [nr.SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0o600],
    'open a file to write': [nr.SYS_openat, AT_FDCWD, path, O_RDWR, 0],
    'open without a name': [nr.SYS_openat, AT_FDCWD, path, O_RDWR | O_TMPFILE, 0o600],
    open: [nr.SYS_open, path, 0, 0],
    openat2: [nr.SYS_openat2, AT_FDCWD, path, memory.addr, 24],
    open_by_handle_at: [nr.SYS_open_by_handle_at, AT_FDCWD, memory.addr, 0],
    unlink: [nr.SYS_unlink, path],
    rename: [nr.SYS_rename, path, path],
    mkdir: [nr.SYS_mkdir, path, 0o700],
    mount: [nr.SYS_mount, path, path, path, 0, 0],
    umount: [nr.SYS_umount2, path, 0],
    pivot_root: [nr.SYS_pivot_root, path, path],
    chroot: [nr.SYS_chroot, path],
    setns: [nr.SYS_setns, 0, 0],
    unshare: [nr.SYS_unshare, CLONE_NEWUSER],
    'socket of Unix': [nr.SYS_socket, AF_UNIX, SOCK_STREAM, 0],
    'socket of packets': [nr.SYS_socket, 17, 3, 0],
    'ptrace somebody': [nr.SYS_ptrace, PTRACE_SEIZE, process.ppid, 0, 0],
    'write by ptrace': [nr.SYS_ptrace, PTRACE_POKEDATA, process.ppid, 0, 0],
    process_vm_readv: [nr.SYS_process_vm_readv, process.ppid, 0, 0, 0, 0, 0],
    process_vm_writev: [nr.SYS_process_vm_writev, process.ppid, 0, 0, 0, 0, 0],
    pidfd_getfd: [nr.SYS_pidfd_getfd, 0, 0, 0],
    'kill somebody softly': [nr.SYS_kill, process.ppid, 15],
    'kill everybody': [nr.SYS_kill, -1, 9],
    bpf: [nr.SYS_bpf, 0, 0, 0],
    perf_event_open: [nr.SYS_perf_event_open, 0, 0, 0, 0, 0],
    keyctl: [nr.SYS_keyctl, 0, 0, 0, 0, 0],
    io_uring_setup: [nr.SYS_io_uring_setup, 1, memory.addr],
    userfaultfd: [nr.SYS_userfaultfd, 0],
    kexec_load: [nr.SYS_kexec_load, 0, 0, 0, 0],
    init_module: [nr.SYS_init_module, 0, 0, path],
    setuid: [nr.SYS_setuid, 0],
    capset: [nr.SYS_capset, memory.addr, memory.addr],
    'new code': [nr.SYS_mmap, 0, 4096, RW | PROT_EXEC, ANONYMOUS, -1, 0],
    'code out of data': [nr.SYS_mprotect, at, 4096, PROT_READ | PROT_EXEC],
    'code of a file': [nr.SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 0],
    memfd_create: [nr.SYS_memfd_create, path, 0],
    'type into the terminal': [nr.SYS_ioctl, 0, TIOCSTI, path],
    'reboot the host': [nr.SYS_reboot, 0, 0, 0, 0],
    'another filter': [nr.SYS_seccomp, 1, 0, 0],
    'calls of 32 bits': [0x4000_0000 + nr.SYS_getpid],
    'a number of the future': [1000],
  };
  if (network === 'none') tries['socket of the Internet'] = [nr.SYS_socket, AF_INET, SOCK_STREAM, 0];
  if (gofer === 'gofer')
    Object.assign(tries, {
      'open a file': [nr.SYS_openat, AT_FDCWD, path, 0, 0],
      'look at a name': [nr.SYS_newfstatat, AT_FDCWD, path, memory.addr, 0],
      'look at a name, statx': [nr.SYS_statx, AT_FDCWD, path, 0, 0, memory.addr],
      'list a directory': [nr.SYS_getdents64, 0, memory.addr, 4096],
      'read a link': [nr.SYS_readlink, path, memory.addr, 100],
      'make a directory': [nr.SYS_mkdirat, AT_FDCWD, path, 0o700],
      'remove a name': [nr.SYS_unlinkat, AT_FDCWD, path, 0],
      'change a mode': [nr.SYS_chmod, path, 0o777],
      'an attribute': [nr.SYS_getxattr, path, path, memory.addr, 100],
    });
  else if (shared === 'shared')
    for (const name of Object.keys(tries))
      if (/^(create|open) .* ?(file|name|write)/.test(name)) delete tries[name];
  const results = Object.fromEntries(
    Object.entries(tries).map(([name, call]) => [name, hostCall(call[0]!, ...call.slice(1))]),
  );
  // Threads of Node.js 24 and later ask for their priority when they wait for each other, and complain when they may not.
  const priority = [
    hostCall(nr.SYS_sched_getparam, 0, memory.addr),
    hostCall(nr.SYS_sched_getscheduler, hostCall(nr.SYS_gettid)),
  ];
  // V8 goes on making code.
  let code = 0;
  for (let i = 0; i < 3000; i++)
    code += (
      new Function('x', `let s = 0; for (let i = 0; i < x; i++) s += i * ${i}; return s`) as (
        x: number,
      ) => number
    )(10);
  process.stdout.write(JSON.stringify({ results, priority, code }));
} else {
  describe('an attacker in the kernel process', () => {
    for (const mode of [
      'systrap none',
      'systrap user',
      'ptrace none',
      'systrap none shared',
      'systrap none shared gofer',
      'ptrace none - gofer',
    ])
      test(`gets nothing with ${mode}`, () => {
        const child = spawnSync(process.execPath, [import.meta.filename], {
          env: { ...process.env, [MODE]: mode },
          encoding: 'utf8',
        });
        assert.equal(child.status, 0, child.stderr);
        const { results, priority, code } = JSON.parse(child.stdout) as {
          results: Record<string, number>;
          priority: number[];
          code: number;
        };
        assert.ok(Object.keys(results).length >= 44);
        for (const [name, r] of Object.entries(results)) assert.equal(r, -1, `${name}: ${r}`);
        assert.deepEqual(priority, [0, 0]);
        assert.equal(code, ((2999 * 3000) / 2) * 45);
      });
  });

  test('fewer calls than a hundred, each with a reason', () => {
    for (const mode of ['none', 'user'] as const) {
      const parts = partsOf(options(mode, false), 'systrap');
      const count = rulesOf(parts).numbers.length;
      assert.ok(count < 95, `${mode}: ${count}`);
      for (const { calls } of parts) for (const { why } of calls) assert.notEqual(why, '');
    }
  });
}
