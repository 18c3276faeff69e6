// Somebody who runs code of their own in the kernel process of a real sandbox, on its thread or on another: which files of the
// host they get at, and whom they can harm. The sandbox has --bind, so that the filter of calls lets files be opened to write:
// what is denied here with EACCES is denied by Landlock.
// suite: 8 s
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { needs } from '../../../test/harness/needs.ts';
import { EACCES, EPERM, EXDEV } from '../../abi/errno.ts';
import {
  AT_FDCWD,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
} from '../../abi/fs/fcntl.ts';
import { S_IFCHR } from '../../abi/fs/stat.ts';
import * as nr from '../../abi/syscall.ts';

type Argument = number | string;
/** A call of the host: what it is to return, -errno or 0 for success; its number; arguments, strings as paths. */
type Try = readonly [wanted: number, call: number, ...args: Argument[]];

function module(path: string): string {
  return JSON.stringify(join(import.meta.dirname, path));
}

/** Makes the calls that are in TRIES on whatever thread; each result, successes as 0. */
const ATTACK = `
function attack(hostCall, HostBuffer) {
  const strings = HostBuffer.alloc(16384);
  return JSON.parse(process.env.TRIES).map(([, call, ...args]) => {
    let at = 0;
    const r = hostCall(call, ...args.map((a) => {
      if (typeof a === 'number') return a;
      const addr = strings.putString(a, at);
      at += a.length + 1;
      return addr;
    }));
    return Math.min(r, 0);
  });
}
`;

/** A sandbox whose tracer attacks at a system call of the guest's, with a second thread that was there before. */
const SCRIPT = `
import { Worker } from 'node:worker_threads';
import { readdirSync, readFileSync } from 'node:fs';
import { Loader } from ${module('../boot.js')};
import { doOptions } from ${module('../../cli/do_options.js')};
import { hostCall } from ${module('../../host/syscall.js')};
import { HostBuffer } from ${module('../../host/buffer.js')};
${ATTACK}
const shared = new SharedArrayBuffer(65536);
const word = new Int32Array(shared, 0, 2);
const worker = new Worker(\`
  (async () => {
    const { workerData, parentPort } = await import('node:worker_threads');
    const { hostCall } = await import(${module('../../host/syscall.js')});
    const { HostBuffer } = await import(${module('../../host/buffer.js')});
    ${ATTACK}
    const word = new Int32Array(workerData, 0, 2);
    parentPort.postMessage(1);
    Atomics.wait(word, 0, 0);
    const text = Buffer.from(JSON.stringify(attack(hostCall, HostBuffer)));
    Buffer.from(workerData, 8).set(text);
    Atomics.store(word, 1, text.length);
    Atomics.notify(word, 1);
    // It is there when threads are counted.
    Atomics.wait(word, 0, 1, 10000);
  })();
\`, { eval: true, workerData: shared });
await new Promise((done) => worker.once('message', done));
let calls = 0;
const tracer = {
  enter() {
    if (++calls !== 3) return;
    const here = attack(hostCall, HostBuffer);
    Atomics.store(word, 0, 1);
    Atomics.notify(word, 0);
    Atomics.wait(word, 1, 0, 10000);
    const there = JSON.parse(Buffer.from(shared, 8, word[1]).toString());
    const threads = readdirSync('/proc/self/task').map((tid) => {
      const text = readFileSync('/proc/self/task/' + tid + '/status', 'latin1');
      return ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp'].map((k) =>
        new RegExp('^' + k + ':\\\\s*(\\\\S+)', 'm').exec(text)[1]);
    });
    const limit = /^Max core file size +(\\d+) +(\\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    process.stderr.write(JSON.stringify({ here, there, threads, core: limit.slice(1) }));
  },
  exit() {}, signal() {}, exited() {},
};
const given = JSON.parse(process.env.OPTIONS);
new Loader({ ...doOptions(['/bin/sh', '-c', 'cd /; ls > /dev/null; echo x > /dev/stdout'], {}), ...given }, tracer).run();
process.exit(0);
`;

interface Outcome {
  readonly here: number[];
  readonly there: number[];
  readonly threads: string[][];
  readonly core: string[];
}

function scene(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'reach-'));
  try {
    for (const name of ['root', 'bound', 'bound/a', 'bound/b', 'fixed', 'other']) mkdirSync(join(dir, name));
    for (const name of ['root/file', 'bound/a/file', 'bound/one', 'fixed/file', 'other/file', 'in', 'out'])
      writeFileSync(join(dir, name), 'text\n');
    body(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs the sandbox with its standard input and output on files; what happened to each try. */
function run(dir: string, tries: Record<string, Try>, options: Record<string, unknown>): Outcome {
  const input = openSync(join(dir, 'in'), 'r');
  const output = openSync(join(dir, 'out'), 'w');
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    stdio: [input, output, 'pipe'],
    encoding: 'utf8',
    timeout: 60_000,
    // A process without a terminal may not signal others at all.
    detached: true,
    env: { ...process.env, TRIES: JSON.stringify(Object.values(tries)), OPTIONS: JSON.stringify(options) },
  } as object);
  closeSync(input);
  closeSync(output);
  const stderr = String(child.stderr);
  assert.ok(stderr.startsWith('{'), `status ${child.status}: ${stderr}`);
  return JSON.parse(stderr) as Outcome;
}

const MOUNTS = ['/bin', '/lib', '/lib64', '/usr'].filter(existsSync);

describe('an attacker in the kernel process', () => {
  for (const platform of ['systrap', 'ptrace'])
    test(`reaches the files that the options name, with ${platform}`, needs('landlock'), () =>
      scene((dir) => {
        const victim = spawn('sleep', ['100'], { stdio: 'ignore' });
        try {
          const at = (name: string) => join(dir, name);
          const open = (path: string, flags: number): Try => [
            -EACCES,
            nr.SYS_openat,
            AT_FDCWD,
            path,
            flags,
            0,
          ];
          const may = ([, ...call]: Try): Try => [0, ...call];
          const tries: Record<string, Try> = {
            'read a file of the host': open('/etc/shadow', O_RDONLY),
            'list a directory of the host': open('/etc', O_RDONLY | O_DIRECTORY),
            'read a file beside the root': open(at('other/file'), O_RDONLY),
            'read our environment by its parent': open(`/proc/${process.pid}/environ`, O_RDONLY),
            'read the memory of its parent': open(`/proc/${process.pid}/mem`, O_RDONLY),
            'read a file by its own root': open('/proc/self/root/etc/shadow', O_RDONLY),
            'read a file by its parent': open(`/proc/${process.pid}/root${at('other/file')}`, O_RDONLY),
            'write to a file that is there': open(at('other/file'), O_WRONLY),
            'empty a file that is there': open(at('other/file'), O_RDONLY | O_TRUNC),
            'write to a file of the root': open(at('root/file'), O_RDWR),
            'write to a file that is bound for reading': open(at('fixed/file'), O_RDWR),
            'make a file in a home': open('/root/reach-test', O_WRONLY | O_CREAT),
            'make a file without a name': open(at('other'), O_RDWR | O_TMPFILE),
            'write to a device': open('/dev/full', O_RDWR),
            'write to a setting of the host': open('/proc/sys/kernel/core_pattern', O_WRONLY),
            'write to its input': open(at('in'), O_RDWR),
            'empty its input': open(at('in'), O_RDONLY | O_TRUNC),
            'read its input': may(open(at('in'), O_RDONLY)),
            'make a directory': [-EACCES, nr.SYS_mkdirat, AT_FDCWD, at('other/new'), 0o700],
            'remove a file': [-EACCES, nr.SYS_unlinkat, AT_FDCWD, at('other/file'), 0],
            'take a file out': [
              -EACCES,
              nr.SYS_renameat2,
              AT_FDCWD,
              at('bound/one'),
              AT_FDCWD,
              at('other/one'),
              0,
            ],
            'link a file in': [
              -EXDEV,
              nr.SYS_linkat,
              AT_FDCWD,
              at('other/file'),
              AT_FDCWD,
              at('bound/in'),
              0,
            ],
            'make a device': [-EACCES, nr.SYS_mknodat, AT_FDCWD, at('bound/null'), S_IFCHR | 0o666, 0x103],
            'kill somebody': [-EPERM, nr.SYS_kill, victim.pid!, 9],
            'read a file of the root': may(open(at('root/file'), O_RDONLY)),
            'read what is bound': may(open(at('fixed/file'), O_RDONLY)),
            'write to what is bound': may(open(at('bound/a/file'), O_RDWR | O_TRUNC)),
            'make a file in what is bound': may(open(at('bound/new'), O_RDWR | O_CREAT)),
            'move it': [0, nr.SYS_renameat2, AT_FDCWD, at('bound/new'), AT_FDCWD, at('bound/a/new'), 0],
            'open its output': may(open(at('out'), O_RDWR | O_TRUNC)),
            'open nothing to write': may(open('/dev/null', O_RDWR)),
            'read of itself': may(open('/proc/self/maps', O_RDONLY)),
          };
          const got = run(dir, tries, {
            platform,
            rootfs: at('root'),
            cwd: '/',
            mounts: [
              ...MOUNTS.map((path) => ({ source: path, target: path, readonly: true, shared: false })),
              { source: at('bound'), target: '/bound', readonly: false, shared: true },
              { source: at('fixed'), target: '/fixed', readonly: true, shared: true },
            ],
          });
          Object.entries(tries).forEach(([name, [wanted]], i) => {
            assert.equal(got.here[i], wanted, name);
            assert.equal(got.there[i], wanted, `${name}, on another thread`);
          });
          assert.equal(victim.exitCode ?? victim.signalCode, null);
          assert.equal(readFileSync(at('other/file'), 'latin1'), 'text\n');
        } finally {
          victim.kill('SIGKILL');
        }
      }),
    );

  test('writes to nothing where the sandbox sees the whole host', needs('landlock'), () =>
    scene((dir) => {
      const file = join(dir, 'other/file');
      // The flags with which /dev/stdout is opened anew pass the filter of calls.
      const flags = 0o4400;
      const open = (path: string, more: number): Try => [
        -EACCES,
        nr.SYS_openat,
        AT_FDCWD,
        path,
        flags | more,
        0,
      ];
      const tries: Record<string, Try> = {
        'write to a file': open(file, O_RDWR),
        'empty a file': open(file, O_RDONLY | O_TRUNC),
        'write to a setting': open('/proc/sys/kernel/core_pattern', O_WRONLY),
        'read a file': [0, nr.SYS_openat, AT_FDCWD, file, O_RDONLY, 0],
        'open its output': [0, nr.SYS_openat, AT_FDCWD, join(dir, 'out'), flags | O_RDWR, 0],
      };
      const got = run(dir, tries, { cwd: '/' });
      const wanted = Object.values(tries).map(([w]) => w);
      assert.deepEqual(got.here, wanted);
      assert.deepEqual(got.there, wanted);
      assert.equal(readFileSync(file, 'latin1'), 'text\n');
    }),
  );

  test('has the rights over files alone, on no thread more', () =>
    scene((dir) => {
      const { threads, core } = run(dir, {}, { cwd: '/' });
      assert.ok(threads.length >= 6, String(threads.length));
      const root = process.getuid!() === 0;
      for (const [effective, permitted, bounding, ambient, noNewPrivs, seccomp] of threads) {
        // CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE where there is only that.
        assert.match(effective!, root ? /^0{15}[24]$/ : /^0{16}$/);
        assert.equal(permitted, effective);
        if (root) assert.match(bounding!, /^0{16}$/);
        assert.match(ambient!, /^0{16}$/);
        assert.deepEqual([noNewPrivs, seccomp], ['1', '2']);
      }
      assert.ok(
        core.every((size) => Number(size) <= 1),
        core.join(),
      );
    }));
});
