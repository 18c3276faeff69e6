// Programs of the host that run at points of a container's life: config.md, "POSIX-platform Hooks". Each gets the state on its
// standard input.

import { spawnSync } from 'node:child_process';
import type { SpecHook } from './spec.ts';

/** Runs them in order; what the first one that failed says, or null. */
export function runHooks(
  kind: string,
  hooks: readonly SpecHook[],
  state: object,
  cwd: string,
): string | null {
  for (const [i, hook] of hooks.entries()) {
    const r = spawnSync(hook.path, hook.args.slice(1), {
      argv0: hook.args[0] ?? hook.path,
      cwd,
      env: Object.fromEntries(
        hook.env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
      ),
      input: JSON.stringify(state),
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: hook.timeout * 1000 || undefined,
      killSignal: 'SIGKILL',
    });
    if (r.status === 0) continue;
    const why =
      (r.error as NodeJS.ErrnoException | undefined)?.code ??
      (r.signal !== null ? `signal ${r.signal}` : `exit status ${r.status}`);
    return `error running ${kind} hook #${i}: ${hook.path}: ${why}, stderr: ${String(r.stderr ?? '').slice(0, 4096)}`;
  }
  return null;
}
