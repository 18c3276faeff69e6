// What every command of the OCI runtime is told before its own words, and what several of them do.

import type { ControlClient } from '../../runtime/oci/control_client.ts';
import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { ContainerLock } from '../../runtime/oci/lock.ts';
import { type ContainerRecord, StateFolder, type Status } from '../../runtime/oci/state.ts';
import type { Flags } from './flags.ts';
import type { RuntimeLog } from './log.ts';

export interface Context {
  readonly root: string;
  readonly log: RuntimeLog;
  readonly systemdCgroup: boolean;
  /** Folder for the kernel's logs; null for none. */
  readonly debugLog: string | null;
  /** --gofer: another process opens the containers' files. */
  readonly gofer: boolean;
}

/** A command; its exit status. */
export type Command = (ctx: Context, words: readonly string[]) => number | Promise<number>;

/** The one id among a command's words. */
export function theId(flags: Flags, command: string): string {
  if (flags.words.length !== 1)
    throw new RuntimeError(`"${command}" requires exactly 1 argument; fix: vedette ${command} ID`);
  return flags.words[0]!;
}

/** Does something with a container that nobody else changes meanwhile. */
export function withContainer<T>(
  ctx: Context,
  id: string,
  body: (folder: StateFolder, record: ContainerRecord) => T,
): T {
  const folder = new StateFolder(ctx.root, id);
  folder.read();
  const lock = new ContainerLock(ctx.root, id);
  try {
    return body(folder, folder.read());
  } finally {
    lock.release();
  }
}

/** Those of config.json, and one that says which layers of isolation the host refused. */
function annotationsOf(record: ContainerRecord): object {
  const annotations = { ...record.annotations };
  if (record.lack) annotations['dev.vedette.less-secure'] = record.lack;
  return Object.keys(annotations).length > 0 ? { annotations } : {};
}

/** The state of a container as state(1) of runc and hooks have it. */
export function stateOf(record: ContainerRecord, status: Status): object {
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    owner: record.owner,
    ...annotationsOf(record),
  };
}

/** Asks the container; throws what it refuses. */
export function ask(folder: StateFolder, message: Record<string, unknown>): Record<string, unknown> {
  const client: ControlClient | null = folder.connect();
  if (client === null) throw new RuntimeError(NOT_RUNNING);
  try {
    const answer = client.ask(message);
    if (answer === null) throw new RuntimeError(NOT_RUNNING);
    if (typeof answer.error === 'string') throw new RuntimeError(answer.error);
    return answer;
  } finally {
    client.close();
  }
}
