// --profile: the report of where the Sentry's time went, written when the sandbox ends. Loaded only when asked for.

import { openSync } from 'node:fs';
import { Session } from 'node:inspector';
import { syscallName } from '../abi/syscall.ts';
import { writeAll } from '../host/write_all.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import {
  PROFILE_BOOT,
  PROFILE_CALLS,
  PROFILE_FAULT,
  PROFILE_HOST_EVENTS,
  PROFILE_OTHER,
  PROFILE_WAIT,
} from '../sentry/kernel/profile.ts';
import { STATUS_USAGE, StartError } from './options.ts';

const NAMES: Readonly<Record<number, string>> = {
  [PROFILE_BOOT]: '(start)',
  [PROFILE_WAIT]: '(guests run, or nothing happens)',
  [PROFILE_HOST_EVENTS]: '(host events)',
  [PROFILE_FAULT]: '(page faults)',
  [PROFILE_OTHER]: '(traps, kicks, other calls)',
};

/** Buckets by time, largest first, with cpu time and the longest stretch of each in us of cpu time; then the platform's counters. */
export function profileReport(kernel: Kernel): string {
  const profile = kernel.profile!;
  const rows: { name: string; count: number; ns: number; cpuNs: number; longest: number }[] = [];
  let total = 0;
  for (let i = 0; i < profile.ns.length; i++) {
    const count = profile.counts[i]!;
    const ns = profile.ns[i]!;
    if (count === 0 && ns === 0) continue;
    total += ns;
    const name = NAMES[i] ?? syscallName(i - PROFILE_CALLS);
    rows.push({ name, count, ns, cpuNs: profile.cpuNs[i]!, longest: profile.longest[i]! });
  }
  rows.sort((a, b) => b.ns - a.ns);
  const lines = ['        ms     cpu ms      %      count    us each    longest  in the kernel'];
  for (const { name, count, ns, cpuNs, longest } of rows) {
    const each = count > 0 ? (ns / 1000 / count).toFixed(2) : '-';
    const share = ((100 * ns) / total).toFixed(1);
    lines.push(
      `${(ns / 1e6).toFixed(2).padStart(10)} ${(cpuNs / 1e6).toFixed(2).padStart(10)} ${share.padStart(6)} ${String(count).padStart(10)} ${each.padStart(10)} ${(longest / 1000).toFixed(0).padStart(10)}  ${name}`,
    );
  }
  lines.push(
    `${(total / 1e6).toFixed(2).padStart(10)}             100.0`,
    '',
    `platform ${kernel.platform.name}`,
  );
  for (const [name, value] of Object.entries(kernel.platform.stats()))
    lines.push(`${String(value).padStart(10)}  ${name}`);
  return `${lines.join('\n')}\n`;
}

/** Makes the file that `flag` names, before anything runs: a descriptor. Throws StartError when it cannot be. */
export function makeReportFile(flag: string, file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw new StartError(
      `${flag} ${file}: ${(error as Error).message}; fix: a file that can be written`,
      STATUS_USAGE,
    );
  }
}

/** Samples the JavaScript of this process from now on; the result writes `file`, which browsers' developer tools open. */
export function startCpuProfile(file: string): () => void {
  const fd = makeReportFile('--cpu-profile', file);
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 100 });
  session.post('Profiler.start');
  return () => {
    session.post('Profiler.stop', (error, result) => {
      if (error === null) writeAll(fd, JSON.stringify(result.profile));
    });
    session.disconnect();
  };
}
