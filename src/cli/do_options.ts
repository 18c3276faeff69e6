// From the flags of `vedette do` to SandboxOptions. Every complaint names the flag and what it would take.

import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import * as signals from '../abi/signal/signal.ts';
import {
  CLOCK_NAMES,
  type MountOption,
  type SandboxOptions,
  STATUS_USAGE,
  StartError,
} from '../runtime/options.ts';

type Flags = Record<string, unknown>;

function wrong(message: string): never {
  throw new StartError(message, STATUS_USAGE);
}

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const LEAST_MEMORY = 16 * 2 ** 20;

/** Bytes of "512m", "4g", "1.5GiB". */
export function parseSize(text: string): number {
  const m = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  if (m === null) wrong(`--memory ${text}: expected a size such as 512m or 4g`);
  const bytes = Math.floor(Number(m[1]) * UNITS[m[2]!.toLowerCase()]!);
  if (bytes < LEAST_MEMORY) wrong(`--memory ${text}: at least 16m`);
  return bytes;
}

/** "SRC:DST" or "SRC:DST:ro|rw". */
export function parseMount(text: string): MountOption {
  const parts = text.split(':');
  const mode = parts[2] ?? 'rw';
  const [source, target] = parts;
  if (parts.length > 3 || !source || !target || (mode !== 'ro' && mode !== 'rw'))
    wrong(`--mount ${text}: expected SRC:DST or SRC:DST:ro`);
  if (!target.startsWith('/')) wrong(`--mount ${text}: ${target} must be an absolute path inside`);
  return { source: resolve(source), target, readonly: mode === 'ro' };
}

/** The variables of the guest: the caller's (unless cleared), then each -e; "-e NAME" passes one on. */
export function buildEnv(flags: readonly string[], clear: boolean, host: NodeJS.ProcessEnv): string[] {
  const env = new Map<string, string>();
  if (!clear) for (const [name, value] of Object.entries(host)) if (value !== undefined) env.set(name, value);
  for (const flag of flags) {
    const at = flag.indexOf('=');
    const name = at < 0 ? flag : flag.slice(0, at);
    if (name === '') wrong(`--env ${flag}: expected NAME=VALUE`);
    const value = at < 0 ? host[name] : flag.slice(at + 1);
    if (value !== undefined) env.set(name, value);
  }
  return [...env].map(([name, value]) => `${name}=${value}`);
}

/** Number of "USR2", "SIGUSR2" or "12". */
export function parseSignal(text: string): number {
  const table = signals as unknown as Record<string, unknown>;
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const value = /^\d+$/.test(text) ? Number(text) : table[name];
  if (typeof value !== 'number' || value < 1 || value > 31) wrong(`--dump-signal ${text}: no such signal`);
  if (value === signals.SIGKILL || value === signals.SIGSTOP)
    wrong(`--dump-signal ${text}: it cannot be caught`);
  return value;
}

/** The options of one `vedette do`. Throws StartError for what cannot be understood. */
export function doOptions(command: readonly string[], flags: Flags): SandboxOptions {
  const text = (name: string): string | null =>
    typeof flags[name] === 'string' ? (flags[name] as string) : null;
  const many = (name: string): string[] => (flags[name] as string[] | undefined) ?? [];
  if (command.length === 0 || command[0] === '') wrong('no command; try: vedette do -- CMD ARGS');
  for (const target of many('tmpfs'))
    if (!target.startsWith('/')) wrong(`--tmpfs ${target}: must be an absolute path inside`);
  const cwd = text('cwd');
  if (cwd !== null && !cwd.startsWith('/')) wrong(`--cwd ${cwd}: must be an absolute path inside`);
  const user = text('user');
  if (user !== null && !/^[^:]+(:[^:]+)?$/.test(user))
    wrong(`--user ${user}: expected UID[:GID] or NAME[:GROUP]`);
  const hostname = text('hostname');
  if (hostname !== null && (hostname === '' || hostname.length > 64)) wrong('--hostname: 1 to 64 characters');
  const strace = flags.strace === true ? '-' : text('strace');
  const profile = flags.profile === true ? '-' : text('profile');
  const diff = flags.diff === true ? '-' : text('diff');
  const cpuProfile = text('cpuProfile');
  const memory = text('memory');
  const dump = text('dumpSignal');
  const debugLog = text('debugLog');
  const clock = text('clock') ?? 'auto';
  if (!CLOCK_NAMES.includes(clock)) wrong(`--clock ${clock}: unknown; there are: ${CLOCK_NAMES.join(', ')}`);
  return {
    argv: command,
    env: buildEnv(many('env'), flags.clearEnv === true, process.env),
    cwd,
    user,
    hostname,
    mounts: many('mount').map(parseMount),
    tmpfs: many('tmpfs'),
    rootfs: resolve(text('rootfs') ?? '/'),
    platform: text('platform') ?? 'auto',
    clock,
    patchCalls: flags.patchCalls !== false,
    // Tests set the variable for all that they start.
    fsgsbase: text('fsgsbase') ?? process.env.VEDETTE_FSGSBASE ?? 'auto',
    network: 'none',
    strace: strace === null || strace === '-' ? strace : resolve(strace),
    profile: profile === null || profile === '-' ? profile : resolve(profile),
    diff: diff === null || diff === '-' ? diff : resolve(diff),
    cpuProfile: cpuProfile === null ? null : resolve(cpuProfile),
    debugLog: debugLog === null ? null : resolve(debugLog),
    numCpu: typeof flags.cpus === 'number' ? flags.cpus : availableParallelism(),
    maxTasks: typeof flags.pids === 'number' ? flags.pids : 0,
    totalMemBytes: memory === null ? totalmem() : parseSize(memory),
    dumpSignal: dump === null ? 0 : parseSignal(dump),
  };
}
