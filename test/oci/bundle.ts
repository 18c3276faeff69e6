// Bundles for tests: a root with a static busybox, a config.json that each test changes, and a state folder of its own. All that a
// test starts ends with it.
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { distDir } from '../harness/guest.ts';
import { which } from '../harness/needs.ts';

export const runtime = join(distDir, 'vedette');
const TIMEOUT_MS = 60_000;
const APPLETS =
  'sh sleep ls cat echo true false ps id mount kill stty tty env head hostname grep touch rm nproc'.split(
    ' ',
  );

/** Why no bundle can be made here; false when it can. */
export function noBusybox(): string | false {
  const path = which('busybox');
  if (path === undefined) return 'busybox is not installed';
  return readFileSync(path).subarray(0, 4096).includes('/ld-') ? 'busybox is not static' : false;
}

/** A root file system in `dir`. */
export function makeRoot(dir: string): void {
  mkdirSync(join(dir, 'bin'), { recursive: true });
  mkdirSync(join(dir, 'etc'));
  copyFileSync(which('busybox')!, join(dir, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(dir, 'bin', name));
  writeFileSync(join(dir, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
}

export interface Result {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a document that tests change anywhere.
export type Config = any;

/** One bundle and one state folder. */
export class Bundle {
  readonly dir: string;
  readonly root: string;
  readonly log: string;

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'vedette-oci-'));
    this.root = join(this.dir, 'state');
    this.log = join(this.dir, 'log');
    makeRoot(join(this.dir, 'rootfs'));
    const made = spawnSync(runtime, ['spec', '--bundle', this.dir], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stderr);
    this.change((c) => {
      c.process.terminal = false;
      c.root.readonly = false;
    });
  }

  change(edit: (config: Config) => void): void {
    const file = join(this.dir, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as Config;
    edit(config);
    writeFileSync(file, JSON.stringify(config));
  }

  /** What containers of this bundle run. */
  program(...args: string[]): void {
    this.change((c) => {
      c.process.args = args;
    });
  }

  private words(args: readonly string[]): string[] {
    const gofer = /(^| )--gofer( |$)/.test(process.env.VEDETTE_FLAGS ?? '') ? ['--gofer'] : [];
    return [...gofer, '--root', this.root, '--log', this.log, '--log-format', 'json', ...args];
  }

  /** Runs a command of the runtime to its end, output through files: what it leaves behind may have them open. */
  run(args: readonly string[], input = ''): Result {
    const place = join(this.dir, `out-${Math.random().toString(36).slice(2)}`);
    writeFileSync(`${place}.in`, input);
    const fds = [openSync(`${place}.in`, 'r'), openSync(`${place}.out`, 'w'), openSync(`${place}.err`, 'w')];
    const r = spawnSync(runtime, this.words(args), { cwd: this.dir, stdio: fds, timeout: TIMEOUT_MS });
    for (const fd of fds) closeSync(fd);
    return {
      status: r.status,
      signal: r.signal,
      stdout: readFileSync(`${place}.out`, 'utf8'),
      stderr: readFileSync(`${place}.err`, 'utf8'),
    };
  }

  /** Starts a command and does not wait for it. */
  spawn(args: readonly string[]) {
    return spawn(runtime, this.words(args), { cwd: this.dir, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** Creates and starts; the boot process's pid. */
  launch(id: string): number {
    const file = join(this.dir, `${id}.pid`);
    for (const args of [
      ['create', '--bundle', this.dir, '--pid-file', file, id],
      ['start', id],
    ]) {
      const r = this.run(args);
      if (r.status !== 0) throw new Error(`${args[0]}: ${r.stderr}`);
    }
    return Number(readFileSync(file, 'utf8'));
  }

  status(id: string): string {
    const r = this.run(['state', id]);
    return r.status === 0 ? (JSON.parse(r.stdout) as { status: string }).status : r.stderr.trim();
  }

  /** The last message with level "error", which is what engines show. */
  lastError(): string {
    const lines = readFileSync(this.log, 'utf8').trim().split('\n');
    const errors = lines.map((line) => JSON.parse(line) as { level: string; msg: string; time: string });
    return errors.findLast((e) => e.level === 'error')?.msg ?? '';
  }

  /** Ends everything. */
  close(): void {
    for (const id of this.run(['list', '-q'])
      .stdout.split('\n')
      .filter((line) => line !== ''))
      this.run(['delete', '--force', id]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Waits until `holds`, for 20 s at most; false when it does not. */
export function until(holds: () => boolean): boolean {
  for (let i = 0; i < 400; i++) {
    if (holds()) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
  return false;
}

/** True while the process runs and is no zombie. */
export function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
