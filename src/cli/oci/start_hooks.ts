// hooks.startContainer: programs of the container's own tree that run inside before its first one does, as that one's user, with the state on
// standard input (config.md, "startContainer Hooks").

import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { POLLIN } from '../../abi/events/poll.ts';
import { HostPoller } from '../../host/poller.ts';
import type { ControlClient } from '../../runtime/oci/control_client.ts';
import { NOT_RUNNING } from '../../runtime/oci/failure.ts';
import type { SpecHook } from '../../runtime/oci/spec.ts';
import type { ContainerRecord, StateFolder } from '../../runtime/oci/state.ts';

/** Waits for the end of the program that `client` has started; its wait status, or why there is none. */
function statusOf(client: ControlClient, timeoutS: number): number | string {
  const poller = new HostPoller();
  poller.add(client.fd, POLLIN, { onHostReady: () => {} });
  const end = timeoutS > 0 ? Date.now() + timeoutS * 1000 : Number.POSITIVE_INFINITY;
  for (;;) {
    for (let m = client.next(); m !== null; m = client.next()) if (typeof m.exit === 'number') return m.exit;
    const left = end - Date.now();
    if (left <= 0) return `timed out after ${timeoutS} s`;
    poller.dispatch(left === Number.POSITIVE_INFINITY ? -1 : Math.ceil(left));
    if (Date.now() < end && !client.fill()) return NOT_RUNNING;
  }
}

function runInside(
  folder: StateFolder,
  record: ContainerRecord,
  hook: SpecHook,
  state: object,
): string | null {
  const { process: own } = JSON.parse(readFileSync(join(record.bundle, 'config.json'), 'utf8')) as {
    process: object;
  };
  const p = { ...own, terminal: false, args: [hook.path, ...hook.args.slice(1)], env: hook.env };
  const file = join(folder.dir, 'hook-state');
  writeFileSync(file, JSON.stringify(state), { mode: 0o600 });
  const fds = [openSync(file, 'r'), openSync('/dev/null', 'r+'), openSync('/dev/null', 'r+')];
  rmSync(file);
  const client = folder.connect();
  try {
    const answer = client?.ask({ method: 'exec', process: p }, fds) ?? null;
    if (client === null || answer === null) return NOT_RUNNING;
    if (typeof answer.error === 'string') return answer.error;
    const status = statusOf(client, hook.timeout);
    if (typeof status === 'string') return status;
    if ((status & 0x7f) !== 0) return `signal ${status & 0x7f}`;
    return status === 0 ? null : `exit status ${status >> 8}`;
  } finally {
    for (const fd of fds) closeSync(fd);
    // With it goes a program that is still there.
    client?.close();
  }
}

/** Runs them in order; what the first one that failed says, or null. */
export function runStartHooks(folder: StateFolder, record: ContainerRecord, state: object): string | null {
  for (const [i, hook] of record.startContainer.entries()) {
    const failure = runInside(folder, record, hook, state);
    if (failure !== null) return `error running startContainer hook #${i}: ${hook.path}: ${failure}`;
  }
  return null;
}
