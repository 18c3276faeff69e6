// What the Sentry gives up, for all of its threads and for good; what it keeps follows from the sandbox's options. Files that
// the options do not name go before the platform is started (reach.ts); once everything is built, capabilities
// (capabilities.ts) and every system call but those that it needs (sentry_calls.ts).

import { EPERM, errnoName } from '../../abi/errno.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../../abi/process/seccomp.ts';
import { type CallPart, enginePart, rulesOf } from '../../host/call_parts.ts';
import { ownCodeRanges } from '../../host/code_range.ts';
import { installFilter } from '../../host/seccomp.ts';
import type { SyscallRules } from '../../host/syscall_rules.ts';
import { log } from '../../sentry/base/log.ts';
import { SIG_KICK } from '../../sentry/platform/systrap/stub.image.ts';
import type { SandboxOptions } from '../options.ts';
import { dropCapabilities } from './capabilities.ts';
import { type Reach, restrictFiles } from './reach.ts';
import {
  COPYING_PART,
  FILES_PART,
  GOFER_PART,
  kernelPart,
  PTRACE_PART,
  SOCKETS_PART,
  systrapPart,
  WRITING_PART,
} from './sentry_calls.ts';

/** What of a sandbox's options decides what its kernel needs. */
interface Needs {
  readonly gofer: boolean;
  readonly overlay: string | null;
  readonly mounts: readonly { readonly shared: boolean }[];
  readonly network: { readonly mode: string };
}

/** The parts that a sandbox needs; `platform` is the one that was chosen, `more` what is needed besides. */
export function partsOf(o: Needs, platform: string, more: readonly CallPart[] = []): CallPart[] {
  const parts = [...more, enginePart(ownCodeRanges(), process.pid), kernelPart(process.pid)];
  parts.push(platform === 'ptrace' ? PTRACE_PART : systrapPart(SIG_KICK));
  const writes = o.overlay !== null || o.mounts.some((m) => m.shared);
  parts.push(o.gofer ? GOFER_PART : FILES_PART);
  if (writes) parts.push(o.gofer ? COPYING_PART : WRITING_PART);
  if (o.network.mode === 'user' || o.network.mode === 'host') parts.push(SOCKETS_PART);
  return parts;
}

/** Leaves this process these calls alone; the length of the filter. Throws when the host refuses. */
export function takeEffect(rules: SyscallRules): number {
  const filter = rules.compile(SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM);
  installFilter(filter);
  return filter.length;
}

/** Tools of Node.js that open files at the end of the process. */
function watched(): boolean {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  return process.env.NODE_V8_COVERAGE !== undefined || /--(?:\w+-)*(?:prof|trace|report)/.test(flags);
}

/**
 * Gives up the host's files but those that the options name, before anything of the platform is started. `descriptors` are
 * those of the caller that are handed on, `more` what else is needed. Where the host has no Landlock, the log and the result say so.
 */
export function giveUpFiles(
  o: SandboxOptions,
  descriptors: readonly number[],
  more: readonly Reach[] = [],
): string | null {
  if (watched()) return null;
  try {
    log(`locked down: ${restrictFiles(o, descriptors, more)}`);
    return null;
  } catch (error) {
    return missing(`Landlock: ${(error as Error).message}`);
  }
}

function missing(what: string): string {
  log(`not locked down: ${what}`);
  return what;
}

/** Gives up the capabilities that the sandbox does not need, while the caller's `descriptors` are open still. */
export function giveUpCapabilities(o: SandboxOptions, descriptors: readonly number[]): string | null {
  if (watched()) return null;
  const { capabilities, error } = dropCapabilities(o, descriptors);
  if (error < 0) return missing(`capabilities: ${errnoName(-error)}`);
  log(`locked down: capabilities: ${capabilities?.join(' ') || 'none'}`);
  return null;
}

/** Gives up the system calls that are not needed. What could not be is told as a line for people; null when all was. */
export function lockDown(o: SandboxOptions, platform: string, more: readonly CallPart[] = []): string | null {
  if (!o.seccomp) return bare('--disable-seccomp');
  if (watched()) return bare('tools of Node.js watch it, which open files at its end');
  const rules = rulesOf(partsOf(o, platform, more));
  try {
    const length = takeEffect(rules);
    log(`locked down: ${rules.numbers.length} system calls, a filter of ${length} instructions`);
  } catch (error) {
    return bare((error as Error).message);
  }
  return null;
}

function bare(why: string): string {
  return `less secure: the kernel process keeps all system calls (${why})`;
}
