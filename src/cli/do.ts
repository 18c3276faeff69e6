// `vedette do`: boots a sandbox in this process, runs it and ends as its first program did: with its status, or of its signal.

import { resolve } from 'node:path';
import { exitBySignal, exitProcess } from '../host/exit.ts';
import { complain, STDERR, writeAll } from '../host/write_all.ts';
import { Loader } from '../runtime/boot.ts';
import { STATUS_KERNEL_BUG, STATUS_NOT_FOUND, StartError } from '../runtime/options.ts';
import { mark } from '../sentry/base/startup.ts';
import { doOptions } from './do_options.ts';

/** Flags that access.ts is about. */
const ACCESS_FLAGS = ['access', 'profileFile', 'hide', 'passEnv', 'envFile'];

/** Runs the command and ends this process. */
export async function runDo(command: readonly string[], flags: Record<string, unknown>): Promise<void> {
  let status: number;
  let sig = 0;
  mark('modules loaded');
  try {
    const shown = ACCESS_FLAGS.some((name) => flags[name] !== undefined && String(flags[name]) !== '')
      ? (await import('./access.ts')).readAccess(flags, (file) => resolve(file))
      : undefined;
    const options = doOptions(command, flags, shown);
    mark('command line');
    const { reads, proxy, secrets } = options.network;
    if (reads && proxy === null) (await import('./proxied.ts')).startProxied(options, secrets);
    const authority = reads ? await import('../runtime/network/authority.ts') : null;
    const tracer =
      options.strace === null ? null : (await import('../runtime/strace_log.ts')).makeStrace(options.strace);
    const reports =
      options.profile === null && options.cpuProfile === null
        ? null
        : await import('../runtime/profile_report.ts');
    const { profile } = options;
    const profileFd =
      profile === null || profile === '-' ? STDERR : reports!.makeReportFile('--profile', profile);
    const stopSampling = options.cpuProfile === null ? null : reports!.startCpuProfile(options.cpuProfile);
    const overlay = options.overlay === null ? null : await import('../runtime/overlay.ts');
    const loader = new Loader(options, tracer, overlay?.openLayer ?? null, authority);
    if (profile !== null) loader.kernel.profile = new (await import('../sentry/kernel/profile.ts')).Profile();
    const diff =
      options.diff === null
        ? null
        : new (await import('../runtime/diff_report.ts')).DiffReport(loader.ns, options.diff);
    const waitStatus = loader.run();
    sig = waitStatus & 0x7f;
    status = (waitStatus >> 8) & 0xff;
    diff?.write();
    stopSampling?.();
    if (profile !== null) writeAll(profileFd, reports!.profileReport(loader.kernel));
  } catch (error) {
    if (error instanceof StartError) {
      const hint = error.status === STATUS_NOT_FOUND && flags.hint ? `; fix: ${flags.hint}` : '';
      complain(`vedette: ${error.message}${hint}\n`);
      status = error.status;
    } else {
      const { bugReport } = await import('../runtime/report.ts');
      complain(bugReport(null, error));
      status = STATUS_KERNEL_BUG;
    }
  }
  // Descriptors of the host that the kernel watched must not keep Node's own event loop alive.
  if (sig !== 0) exitBySignal(sig);
  exitProcess(status);
}
