// Programs of the host that run at points of a container's life: config.md, "POSIX-platform Hooks". Each gets the state on its
// standard input.

import { spawnSync } from 'node:child_process';
import type { SpecHook } from './spec.ts';

/** Runs one after the other whatever comes of them, as those after the end do; what failed. */
export function runAllHooks(kind: string, hooks: readonly SpecHook[], state: object, cwd: string): string[] {
  return hooks.flatMap((hook, i) => runHook(`${kind} hook #${i}`, hook, state, cwd) ?? []);
}

/** Runs them in order; what the first one that failed says, or null. */
export function runHooks(
  kind: string,
  hooks: readonly SpecHook[],
  state: object,
  cwd: string,
): string | null {
  for (const [i, hook] of hooks.entries()) {
    const failure = runHook(`${kind} hook #${i}`, hook, state, cwd);
    if (failure !== null) return failure;
  }
  return null;
}

function runHook(name: string, hook: SpecHook, state: object, cwd: string): string | null {
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
  if (r.status === 0) return null;
  const { code } = (r.error ?? {}) as NodeJS.ErrnoException;
  // EPIPE: it did not read the state, which is its own affair.
  const why =
    r.status !== null
      ? `exit status ${r.status}`
      : code !== undefined && code !== 'EPIPE'
        ? code
        : `signal ${r.signal}`;
  return `error running ${name}: ${hook.path}: ${why}, stderr: ${String(r.stderr ?? '').slice(0, 4096)}`;
}
