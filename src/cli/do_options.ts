// From the flags of `vedette do` to SandboxOptions. Every complaint names the flag and what it would take.

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { resolve } from 'node:path';
import * as signals from '../abi/signal/signal.ts';
import { hostCpus } from '../host/cpus.ts';
import { callerFds, type Inherited, readInherited } from '../runtime/inherited.ts';
import type { Handed } from '../runtime/network/handed.ts';
import {
  CLOCK_NAMES,
  type MountOption,
  type PassedFd,
  type SandboxOptions,
  STATUS_USAGE,
  StartError,
} from '../runtime/options.ts';
import type { readAccess } from './access.ts';
import { callerEnv } from './caller.ts';
import { parseMount, splitPlain } from './mount_flag.ts';
import { networkOptions } from './network_flags.ts';

type Flags = Record<string, unknown>;

/** A --mount or --bind. What is mounted later lies over what was there: `order` is theirs among all of them. */
export interface MountFlag {
  readonly option: '--mount' | '--bind';
  readonly text: string;
  readonly order: number;
}

function wrong(message: string): never {
  throw new StartError(message, STATUS_USAGE);
}

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const LEAST_MEMORY = 16 * 2 ** 20;

/** Bytes of "512m", "4g", "1.5GiB". */
export function parseSize(text: string): number {
  const m = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  if (m === null) wrong(`--memory ${text}: not a size; fix: a size such as 512m or 4g`);
  const bytes = Math.floor(Number(m[1]) * UNITS[m[2]!.toLowerCase()]!);
  if (bytes < LEAST_MEMORY) wrong(`--memory ${text}: too little; fix: at least 16m`);
  return bytes;
}

/** Bytes of memory and swap of this machine. */
function machineBytes(): number {
  try {
    const kib = /^SwapTotal:\s*(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'));
    return totalmem() + Number(kib?.[1] ?? 0) * 1024;
  } catch {
    return totalmem();
  }
}

/** Memory for the guest: not more than there is, or nobody would say so before the host kills. */
function memoryOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes > totalmem() && bytes > machineBytes()) {
    const mib = Math.floor(machineBytes() / 2 ** 20);
    wrong(`--memory ${text}: this machine has ${mib}m; fix: --memory ${mib}m at most, or leave it out`);
  }
  return bytes;
}

/** Paths for --tmpfs: other tools take options behind a colon there. */
function parseTmpfs(text: string): string {
  const [path, ...options] = splitPlain(text, ':');
  if (options.length > 0)
    wrong(`--tmpfs ${text}: it takes a path alone; fix: --tmpfs ${path}; a : in a path is written \\:`);
  if (!path!.startsWith('/'))
    wrong(`--tmpfs ${text}: must be an absolute path inside; fix: --tmpfs /${path}`);
  return path!;
}

function mountsOf(flags: Flags, hostFile: (path: string) => string): MountOption[] {
  const all = [flags.mount, flags.bind].flatMap((list) => (list as MountFlag[] | undefined) ?? []);
  all.sort((a, b) => a.order - b.order);
  return all.map((m) => ({ ...parseMount(m.text, m.option, hostFile), shared: m.option === '--bind' }));
}

/** True when the variable's name matches one of the patterns, in which * stands for any characters. */
function passes(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
  });
}

/** The variables of the guest: the caller's that match a pattern, then each of `flags`, of which NAME alone passes one on. */
export function buildEnv(
  flags: readonly string[],
  patterns: readonly string[],
  host: readonly string[],
): string[] {
  // The caller's are handed on as they are: twice, without a value, without a name.
  const env = patterns.includes('*') ? [...host] : host.filter((entry) => passes(nameOf(entry), patterns));
  for (const flag of flags) {
    const name = nameOf(flag);
    if (name === '') wrong(`--env ${flag}: no name; fix: NAME=VALUE`);
    const is = (entry: string) => entry.startsWith(`${name}=`);
    const entry = flag.includes('=') ? flag : host.find(is);
    if (entry === undefined) continue;
    const at = env.findIndex(is);
    if (at < 0) env.push(entry);
    else env[at] = entry;
  }
  return env;
}

/** Variables that say who somebody is: they follow --user. */
const USER_VARIABLES = ['HOME', 'LOGNAME', 'SHELL', 'USER'];

function nameOf(flag: string): string {
  const at = flag.indexOf('=');
  return at < 0 ? flag : flag.slice(0, at);
}

/** The lowest descriptor that is no shell's to hand on: shells keep their own from 10 on, and open those below for who asks. */
const SHELL_FDS = 10;
const NAMED_FD = /\/(?:dev|proc\/self)\/fd\/(\d{1,4})(?!\d)/g;

/**
 * Descriptors of the caller above 2 that the program gets: those that --pass-fd asks for, which must be there, and of those that
 * are, the ones below 10 and the ones that the command line names. `--pass-fd none` leaves it at 0 to 2.
 */
function passedFds(
  flags: readonly string[],
  command: readonly string[],
  inherited: Inherited,
  ours: Handed | null,
): PassedFd[] {
  const named = command.flatMap((word) => [...word.matchAll(NAMED_FD)].map((match) => Number(match[1])));
  const noted = inherited.openFds !== null;
  if (flags.length === 0 && named.length === 0 && !noted) return [];
  const open = callerFds(inherited).filter((fd) => fd !== ours?.control && fd !== ours?.descriptors);
  const passed = new Map<number, boolean>();
  if (!flags.includes('none'))
    for (const fd of open) if ((noted && fd < SHELL_FDS) || named.includes(fd)) passed.set(fd, false);
  for (const flag of flags) {
    if (flag === 'none') continue;
    if (!/^\d{1,4}$/.test(flag)) wrong(`--pass-fd ${flag}: no descriptor; fix: a number, or none`);
    const fd = Number(flag);
    if (fd <= 2) continue;
    if (!open.includes(fd)) wrong(`--pass-fd ${fd}: not open; fix: open it for vedette, as in ${fd}< FILE`);
    passed.set(fd, true);
  }
  return [...passed].map(([fd, asked]) => ({ fd, asked }));
}

/** Number of "USR2", "SIGUSR2" or "12". */
export function parseSignal(text: string): number {
  const table = signals as unknown as Record<string, unknown>;
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const value = /^\d+$/.test(text) ? Number(text) : table[name];
  if (typeof value !== 'number' || value < 1 || value > 31)
    wrong(`--dump-signal ${text}: no such signal; fix: a name such as USR2`);
  if (value === signals.SIGKILL || value === signals.SIGSTOP)
    wrong(`--dump-signal ${text}: it cannot be caught; fix: another one, such as USR2`);
  return value;
}

/** What of this machine the program gets (access.ts). */
type WhatIsShown = ReturnType<typeof readAccess>;
const EVERYTHING: WhatIsShown = { passEnv: ['*'], env: {}, set: [], hide: [], tmpfs: [] };

/** The options of one `vedette do`. Throws StartError for what cannot be understood. */
export function doOptions(
  command: readonly string[],
  flags: Flags,
  access: WhatIsShown = EVERYTHING,
): SandboxOptions {
  const inherited = readInherited();
  // Without a working directory there is nothing that a relative path could mean, and its use says so.
  const hostFile = (path: string) => resolve(inherited.cwd ?? '/', path);
  const text = (name: string): string | null =>
    typeof flags[name] === 'string' ? (flags[name] as string) : null;
  const many = (name: string): string[] => (flags[name] as string[] | undefined) ?? [];
  if (command.length === 0 || command[0] === '')
    wrong('no program to run; fix: vedette do [FLAGS] -- CMD [ARGS]');
  for (const [name, value] of Object.entries(flags))
    if (
      value === '' ||
      (Array.isArray(value) && value.some((v) => v === '' || (v as MountFlag).text === ''))
    ) {
      const flag = `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
      wrong(`${flag}: the value is empty; fix: leave ${flag} out, or give it a value`);
    }
  const cwd = text('cwd');
  if (cwd !== null && !cwd.startsWith('/'))
    wrong(`--cwd ${cwd}: must be an absolute path inside; fix: --cwd ${hostFile(cwd)}`);
  const user = text('user');
  if (user !== null && !/^[^:]+(:[^:]+)?$/.test(user))
    wrong(`--user ${user}: not understood; fix: UID[:GID] or NAME[:GROUP]`);
  const hostname = text('hostname');
  if (hostname !== null && hostname.length > 64)
    wrong(`--hostname ${hostname}: too long; fix: 64 characters at most`);
  const given = [...access.set, ...many('env')];
  const set = given.map(nameOf);
  const network = networkOptions(flags, hostFile, set);
  // What stands for a secret, in place of what the caller has.
  const placeholders = (network.proxy?.secrets ?? []).map((s) => `${s.name}=${s.placeholder}`);
  const strace = flags.strace === true ? '-' : text('strace');
  const profile = flags.profile === true ? '-' : text('profile');
  const diff = flags.diff === true ? '-' : text('diff');
  const cpuProfile = text('cpuProfile');
  const memory = text('memory');
  const dump = text('dumpSignal');
  const debugLog = text('debugLog');
  const clock = text('clock') ?? 'auto';
  if (!CLOCK_NAMES.includes(clock))
    wrong(`--clock ${clock}: unknown; fix: one of: ${CLOCK_NAMES.join(', ')}`);
  if (flags.clearEnv === true && access === EVERYTHING) access = { ...EVERYTHING, passEnv: [] };
  return {
    argv: command,
    env: buildEnv([...given, ...placeholders], access.passEnv, callerEnv()),
    followsUser:
      user === null || flags.clearEnv === true ? [] : USER_VARIABLES.filter((name) => !set.includes(name)),
    // Who asks for processors has all of them.
    inherited: typeof flags.cpus === 'number' ? { ...inherited, affinity: null } : inherited,
    passedFds: passedFds(many('passFd'), command, inherited, network.proxy),
    cwd,
    user,
    hostname,
    mounts: mountsOf(flags, hostFile),
    tmpfs: [...access.tmpfs, ...many('tmpfs').map(parseTmpfs)],
    hidden: [...access.hide, ...(network.proxy?.files ?? [])],
    rootfs: hostFile(text('rootfs') ?? '/'),
    overlay: text('overlay') === null ? null : hostFile(text('overlay')!),
    platform: text('platform') ?? 'auto',
    clock,
    seccomp: flags.disableSeccomp !== true,
    gofer: flags.gofer === true,
    patchCalls: flags.patchCalls !== false,
    // Tests set the variable for all that they start.
    fsgsbase: text('fsgsbase') ?? process.env.VEDETTE_FSGSBASE ?? 'auto',
    network,
    strace: strace === null || strace === '-' ? strace : hostFile(strace),
    profile: profile === null || profile === '-' ? profile : hostFile(profile),
    diff: diff === null || diff === '-' ? diff : hostFile(diff),
    cpuProfile: cpuProfile === null ? null : hostFile(cpuProfile),
    debugLog: debugLog === null ? null : hostFile(debugLog),
    numCpu: typeof flags.cpus === 'number' ? flags.cpus : hostCpus(),
    maxTasks: typeof flags.pids === 'number' ? flags.pids : 0,
    totalMemBytes: memory === null ? totalmem() : memoryOf(memory),
    dumpSignal: dump === null ? 0 : parseSignal(dump),
  };
}
