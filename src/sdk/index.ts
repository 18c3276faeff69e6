// run(): starts `vedette do` as a child process and waits for its end, in the manner of node:child_process.

import { type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type DoOptions, flagWords, NODE_FLAGS } from './flags.ts';

export type { DoOptions } from './flags.ts';

/** Where a stream of the program goes: to the result, to that of this process, or nowhere. */
export type StreamOption = 'pipe' | 'inherit' | 'ignore';

export interface RunOptions extends DoOptions {
  /** What the program reads from its standard input; without it, the input is empty. */
  readonly input?: string | Uint8Array;
  /** One for all streams, or standard input, output and error; 'pipe' when not given. */
  readonly stdio?: StreamOption | readonly [StreamOption, StreamOption, StreamOption];
  /** Encoding of `stdout` and `stderr` in the result; 'buffer' for bytes. 'utf8' when not given. */
  readonly encoding?: BufferEncoding | 'buffer';
  /** Most bytes that `stdout` and `stderr` may have each: beyond, the sandbox is ended. 16 MiB when not given. */
  readonly maxBuffer?: number;
  /** Milliseconds after which the sandbox is ended; 0, or not given: never. */
  readonly timeout?: number;
  /** What ends it after `timeout`, `signal` and `maxBuffer`. 'SIGKILL' when not given, which no program inside can ignore. */
  readonly killSignal?: NodeJS.Signals;
  /** Ends the sandbox when it is aborted; the promise is then rejected with its reason, an AbortError. */
  readonly signal?: AbortSignal;
}

/** How the command ended. */
export interface RunResult<T = string> {
  /** The exit status (see `vedette do --help`), or null when a signal ended it. */
  readonly status: number | null;
  /** The signal that ended it, or null. */
  readonly signal: NodeJS.Signals | null;
  /** What the program wrote, as far as it was piped. */
  readonly stdout?: T;
  readonly stderr?: T;
  /** `timeout` was over. */
  readonly timedOut: boolean;
}

const MAX_BUFFER = 16 * 2 ** 20;

/** The command beside this file: in the package, or in the tree that it is compiled to. */
function commandFile(): string {
  const near = join(import.meta.dirname, 'vedette.cjs');
  return existsSync(near) ? near : join(import.meta.dirname, '../../vedette.cjs');
}

function check(command: readonly string[], options: RunOptions): void {
  if (!Array.isArray(command) || command.length === 0 || command.some((word) => typeof word !== 'string'))
    throw new TypeError(
      "run: the command must be a list of words, such as ['ls', '-l']; fix: for a line of shell, ['sh', '-c', LINE]",
    );
  const bad = command.find((word) => word.includes('\0'));
  if (bad !== undefined) throw new TypeError('run: a word of the command has a NUL, which none can have');
  const signal = options.killSignal;
  if (signal !== undefined && !Object.hasOwn(constants.signals, signal))
    throw new TypeError(`run: killSignal ${signal}: no such signal; fix: a name such as SIGTERM`);
}

/** The bytes of one stream, at most so many. */
class Collector {
  readonly parts: Uint8Array[] = [];
  private size = 0;
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** False when there is no room for it. */
  add(part: Uint8Array): boolean {
    this.size += part.length;
    if (this.size > this.max) return false;
    this.parts.push(part);
    return true;
  }

  value(encoding: BufferEncoding | 'buffer'): Buffer | string {
    const all = Buffer.concat(this.parts);
    return encoding === 'buffer' ? all : all.toString(encoding);
  }
}

/**
 * Runs a program in a sandbox, as `vedette do` does with the flags that the options name. The promise is resolved when the sandbox
 * has ended, whatever the status; it is rejected when it could not be started, was aborted or wrote too much: nothing of it
 * is left then either.
 */
export function run(
  command: readonly string[],
  options: RunOptions & { readonly encoding: 'buffer' },
): Promise<RunResult<Buffer>>;
export function run(command: readonly string[], options?: RunOptions): Promise<RunResult>;
export async function run(
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult<string> | RunResult<Buffer>> {
  check(command, options);
  const { signal, timeout = 0, killSignal = 'SIGKILL', encoding = 'utf8', maxBuffer = MAX_BUFFER } = options;
  signal?.throwIfAborted();
  const { stdio = 'pipe' } = options;
  const streams = typeof stdio === 'string' ? [stdio, stdio, stdio] : [...stdio];
  const words = [...NODE_FLAGS, commandFile(), 'do', ...flagWords(options), '--', ...command];
  const child = spawn(process.execPath, words, { stdio: streams as SpawnOptions['stdio'] & [] });
  let timedOut = false;
  let failure: Error | null = null;
  const end = (error: Error | null) => {
    failure ??= error;
    child.kill(killSignal);
  };
  const abort = () =>
    end(signal!.reason instanceof Error ? signal!.reason : new Error(String(signal!.reason)));
  const late = () => {
    timedOut = true;
    end(null);
  };
  const timer = timeout > 0 ? setTimeout(late, timeout) : undefined;
  signal?.addEventListener('abort', abort, { once: true });
  const collect = (stream: NodeJS.ReadableStream | null, name: string): Collector => {
    const collector = new Collector(maxBuffer);
    stream?.on('data', (part: Buffer) => {
      if (collector.add(part)) return;
      const error = new RangeError(`run: more than ${maxBuffer} bytes on ${name}; fix: a larger maxBuffer`);
      end(Object.assign(error, { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' }));
    });
    return collector;
  };
  const stdout = collect(child.stdout, 'stdout');
  const stderr = collect(child.stderr, 'stderr');
  // A program may end without having read all.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  try {
    return await new Promise((done, fail) => {
      child.on('error', fail);
      child.on('close', (status, by) => {
        if (failure !== null) return fail(failure);
        done({
          status,
          signal: by,
          ...(child.stdout === null ? {} : { stdout: stdout.value(encoding) as string }),
          ...(child.stderr === null ? {} : { stderr: stderr.value(encoding) as string }),
          timedOut,
        });
      });
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
