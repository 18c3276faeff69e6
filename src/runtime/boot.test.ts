// A bug of the kernel ends its sandbox with a report, and nothing else.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { STATUS_KERNEL_BUG } from './options.ts';

/** A sandbox whose tracer, which runs inside the kernel's loop, throws at the given system call. */
const SCRIPT = `
import { Loader } from ${JSON.stringify(join(import.meta.dirname, 'boot.js'))};
import { doOptions } from ${JSON.stringify(join(import.meta.dirname, '../cli/do_options.js'))};
let calls = 0;
const tracer = {
  enter() { if (++calls === 150) throw new Error('planted bug'); },
  exit() {}, signal() {}, exited() {},
};
const loader = new Loader(doOptions(['sh', '-c', 'sleep 60 & sleep 60 & wait'], {}), tracer);
process.stdout.write(String(process.pid));
loader.run();
`;

/** Processes of the host that are children or tracees of `pid` and live. */
function livingDescendants(pid: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      return new RegExp(`^(PPid|TracerPid):\\s+${pid}$`, 'm').test(status) && !/^State:\s+Z/m.test(status);
    } catch {
      return false;
    }
  });
}

test('a bug in the kernel is reported and leaves no process', () => {
  const r = spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(r.status, STATUS_KERNEL_BUG, r.stderr);
  assert.match(r.stderr, /^vedette: bug in the kernel/);
  assert.match(r.stderr, /Error: planted bug\n\s+at /);
  assert.match(r.stderr, /^tasks \(\d live\):$/m);
  assert.match(r.stderr, /^process 1 pgrp 1 session 1 threads 1 .*\/\w*sh$/m);
  assert.match(r.stderr, /^ {2}thread 1 "sh" \w+ in \w/m);
  assert.match(r.stderr, /^ {4}rip=0x\w+ rsp=0x\w+ /m);
  assert.deepEqual(livingDescendants(Number(r.stdout)), []);
});
