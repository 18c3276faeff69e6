// Compiles guest programs, runs commands natively and inside Vedette with limits, and compares what came out.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { F_SETFL, O_CLOEXEC, O_NONBLOCK } from '../../src/abi/fs/fcntl.ts';
import { SYS_fcntl, SYS_pipe2 } from '../../src/abi/syscall.ts';
import { HostBuffer } from '../../src/host/buffer.ts';
import { hostCall } from '../../src/host/syscall.ts';
import { NODE_FLAGS } from '../../src/sdk/flags.ts';

/** The compiled tree that this module belongs to. */
export const distDir = resolve(import.meta.dirname, '../..');
export const repoDir = findRepo(distDir);
export const guestDir = join(repoDir, 'test/guest');

/**
 * How a command starts inside Vedette, with Node.js's flags as for users; VEDETTE_FLAGS adds flags for every run, such as
 * `--platform=ptrace`.
 */
const bundled = join(distDir, 'vedette.cjs');
export const vedette = [
  process.execPath,
  ...NODE_FLAGS,
  existsSync(bundled) ? bundled : join(distDir, 'src/cli/main.js'),
  'do',
];
const extraFlags = (process.env.VEDETTE_FLAGS ?? '').split(' ').filter((flag) => flag !== '');
/** Those of the extra flags that a run does not set itself: one that takes one value stands once. */
export function extraBeside(flags: readonly string[]): string[] {
  const nameOf = (flag: string) => flag.split('=')[0]!;
  const own = new Set(flags.map(nameOf));
  return extraFlags.filter((flag) => !own.has(nameOf(flag)));
}
/** The command as it is installed, which hands on what Node.js alone would lose; the program follows. */
export const starter = [join(distDir, 'vedette'), 'do', ...extraFlags, '--'];
/** Programs inside see no FSGSBASE; natively they are told to do as if there were none. */
const nativeEnv: Record<string, string> = extraFlags.includes('--fsgsbase=off')
  ? { WITHOUT_FSGSBASE: '1' }
  : {};

/** A fixed search path, so that what a shell finds does not depend on who runs the tests. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const compileFlags = [
  '-O1',
  '-Wall',
  '-Wno-stringop-overflow',
  '-Wno-stringop-overread',
  '-Wno-nonnull',
  '-pthread',
];
const outputLimit = 16 << 20;

export interface RunOptions {
  timeoutMs?: number;
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  /** Flags of `vedette do` for this run. */
  flags?: string[];
}

export interface RunResult {
  /** Exit code, or 128 + the signal that ended the process. */
  status: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  elapsedMs: number;
}

function findRepo(start: string): string {
  for (let dir = start; dir !== '/'; dir = dirname(dir)) {
    if (existsSync(join(dir, 'test/guest/check.h'))) return dir;
  }
  return process.cwd();
}

/** The process and everything below it, deepest last; a child that left the process group is still found. */
function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // The process ended meanwhile.
    }
  }
  const tree = [pid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]!) ?? []));
  return tree;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

/** Ends of the commands that run now, for a test run that is itself stopped. */
const running = new Set<() => void>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const end of running) end();
    process.kill(process.pid, signal);
  });
}

/** Three real pipes, since those that spawn makes are sockets, which programs can tell from pipes. */
class Pipes {
  /** The ends for the child: its standard input, output and error. */
  readonly child: number[];
  readonly input: number;
  readonly outputs: Socket[];

  constructor() {
    const [stdin, input] = pipe();
    const [output, stdout] = pipe();
    const [errors, stderr] = pipe();
    this.child = [stdin, stdout, stderr];
    this.input = input;
    // The child's ends must not be non-blocking.
    for (const fd of [input, output, errors]) hostCall(SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
    this.outputs = [output, errors].map((fd) => new Socket({ fd, readable: true, writable: false }));
  }
}

const pipeEnds = HostBuffer.alloc(8);

/** pipe2(2): the ends for reading and for writing. */
function pipe(): [number, number] {
  const r = hostCall(SYS_pipe2, pipeEnds.addr, O_CLOEXEC);
  if (r !== 0) throw new Error(`pipe2: ${r}`);
  return [pipeEnds.view.getInt32(0, true), pipeEnds.view.getInt32(4, true)];
}

/** Runs a command on the host in its own process group and collects what it prints, within time and size limits. */
export function runNative(argv: string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeoutMs = 60_000, cwd = '/tmp', env = {}, input = '' } = options;
  const start = Date.now();
  const pipes = new Pipes();
  return new Promise((done, fail) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd,
      env: {
        PATH: systemPath,
        HOME: '/nonexistent',
        LANG: 'C.UTF-8',
        LC_ALL: 'C.UTF-8',
        ...nativeEnv,
        ...env,
      },
      detached: true,
      stdio: pipes.child,
    });
    for (const fd of pipes.child) closeSync(fd);
    const stdin = new Socket({ fd: pipes.input, readable: false, writable: true });
    stdin.on('error', () => stdin.destroy());
    stdin.end(input, () => stdin.destroy());
    const chunks: Buffer[][] = [[], []];
    let size = 0;
    let timedOut = false;
    let killed = false;
    const end = () => {
      if (killed || child.pid === undefined) return;
      killed = true;
      for (const pid of processTree(child.pid)) kill(pid);
      kill(-child.pid);
    };
    running.add(end);
    const timer = setTimeout(() => {
      timedOut = true;
      end();
    }, timeoutMs);
    const closed = pipes.outputs.map(
      (stream, i) =>
        new Promise<void>((over) => {
          stream.on('error', () => stream.destroy());
          stream.on('close', () => over());
          stream.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > outputLimit) end();
            else chunks[i]!.push(chunk);
          });
        }),
    );
    child.on('error', (error) => {
      running.delete(end);
      clearTimeout(timer);
      for (const stream of [stdin, ...pipes.outputs]) stream.destroy();
      fail(error);
    });
    child.on('exit', async (code, signal) => {
      running.delete(end);
      clearTimeout(timer);
      stdin.destroy();
      // What the command left behind holds the pipes open: it gets a moment, then its group goes, then the pipes.
      const grace = setTimeout(() => kill(-child.pid!), 1000);
      const late = setTimeout(() => pipes.outputs.forEach((stream) => void stream.destroy()), 2000);
      await Promise.all(closed);
      clearTimeout(grace);
      clearTimeout(late);
      kill(-child.pid!);
      const [stdout, stderr] = chunks.map((parts) => Buffer.concat(parts).toString('utf8'));
      done({
        status: code ?? 128 + (constants.signals[signal!] ?? 0),
        stdout: stdout!,
        stderr: stderr!,
        timedOut,
        elapsedMs: Date.now() - start,
      });
    });
  });
}

/** Runs the same command inside Vedette. */
export function runInside(argv: string[], options: RunOptions = {}): Promise<RunResult> {
  const flags = options.flags ?? [];
  return runNative([...vedette, ...extraBeside(flags), ...flags, '--', ...argv], options);
}

/** Compiles test/guest/<program>.c; a first line `// build: FLAGS` adds flags. */
export function compileGuest(program: string): Promise<string> {
  const source = join(guestDir, `${program}.c`);
  const text = readFileSync(source, 'utf8');
  const flags = [...compileFlags, ...(/^\/\/ build: (.*)/.exec(text)?.[1]?.split(' ') ?? [])];
  const included = [...text.matchAll(/^#include "(.*)"/gm)].map((match) => join(guestDir, match[1]!));
  return compileC(source, flags, [...included, join(guestDir, 'check.h')]);
}

/** Those that are being compiled. */
const compiling = new Map<string, Promise<void>>();

/** Compiles a file of C, once per content, into a folder that later runs find too; `included` are what else it is made of. */
export async function compileC(
  source: string,
  flags: readonly string[],
  included: readonly string[] = [],
): Promise<string> {
  const program = basename(source, '.c');
  const hash = createHash('sha256').update(flags.join('\0'));
  for (const file of [source, ...new Set(included)]) hash.update(readFileSync(file));
  const cache = process.env.VEDETTE_TEST_CACHE ?? join(tmpdir(), `vedette-guests-${process.getuid!()}`);
  const folder = join(cache, `${program}.${hash.digest('hex').slice(0, 16)}`);
  const binary = join(folder, program);
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const old of readdirSync(cache)) {
    const isOld = old.startsWith(`${program}.`) && old.length === basename(folder).length;
    if (isOld && old !== basename(folder)) rmSync(join(cache, old), { recursive: true, force: true });
  }
  const made = compiling.get(binary) ?? compile(source, binary, flags);
  compiling.set(binary, made);
  await made;
  return binary;
}

async function compile(source: string, binary: string, flags: readonly string[]): Promise<void> {
  // Renamed into place, so that two test runs at once never execute half a file.
  const partial = `${binary}.${process.pid}`;
  const result = await runNative(['gcc', source, '-o', partial, ...flags], { timeoutMs: 120_000 });
  if (result.status !== 0) throw new Error(`${source} does not compile:\n${result.stderr}`);
  renameSync(partial, binary);
}

/** What differs between two results, as text for a failure message; empty when nothing does. */
export function difference(native: RunResult, inside: RunResult): string {
  const parts: string[] = [];
  if (inside.timedOut) parts.push(`inside: stopped at its time limit after ${inside.elapsedMs} ms`);
  if (native.status !== inside.status) parts.push(`status: native ${native.status}, inside ${inside.status}`);
  if (native.stdout !== inside.stdout) {
    const only = (a: string, b: string, side: string) => {
      const known = new Set(b.split('\n'));
      const lines = a.split('\n').filter((line) => !known.has(line));
      return lines.slice(0, 20).map((line) => `  ${side} only: ${line.slice(0, 300)}`);
    };
    parts.push('stdout:');
    parts.push(...only(native.stdout, inside.stdout, 'native'));
    parts.push(...only(inside.stdout, native.stdout, 'inside'));
    if (parts.at(-1) === 'stdout:') parts.push('  the same lines in another order or number');
  }
  if (parts.length > 0 && inside.stderr !== '')
    parts.push(`inside stderr (end):\n${inside.stderr.slice(-2000)}`);
  return parts.join('\n');
}
