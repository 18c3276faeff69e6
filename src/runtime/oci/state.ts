// The state folder: ROOT/ID with state.json and control.sock. Whether a container runs is asked of the container itself; the folder tells
// which process that is.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders } from '../../host/folders.ts';
import { ControlClient } from './control_client.ts';
import { EXISTS, NOT_EXIST, RuntimeError } from './failure.ts';
import { LOCKS } from './lock.ts';
import type { SpecResources } from './read_resources.ts';
import type { SpecHook } from './spec.ts';

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

export interface ContainerRecord {
  readonly ociVersion: string;
  readonly id: string;
  /** 0 before the boot process is there. */
  readonly pid: number;
  /** Field 22 of proc_pid_stat(5): tells it from a later process of the same number. */
  readonly startTime: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly owner: string;
  /** Layers of isolation that the host refused, as a line for people; null for none. */
  readonly lack: string | null;
  readonly annotations: Readonly<Record<string, string>>;
  /** Folders of control groups that were made for it. */
  readonly cgroups: readonly string[];
  /** True once `create` was done. */
  readonly complete: boolean;
  /** Limits that it has now. */
  readonly resources: SpecResources;
  readonly startContainer: readonly SpecHook[];
  readonly poststart: readonly SpecHook[];
  readonly poststop: readonly SpecHook[];
}

/** Ids as runc takes them: no more than one folder's name. */
export function checkId(id: string): void {
  if (!/^[\w+.-]{1,1024}$/.test(id) || id === '.' || id === '..')
    throw new RuntimeError(`invalid container ID format: ${JSON.stringify(id)}`);
  // The name of a folder.
  if (id.length > 255)
    throw new RuntimeError(`container ID ${id.slice(0, 20)}... is too long; fix: at most 255 characters`);
}

/** Start time of a process that is alive; null for a zombie or none. */
export function startTimeOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19]!;
  } catch {
    return null;
  }
}

export class StateFolder {
  readonly root: string;
  readonly id: string;
  readonly dir: string;

  constructor(root: string, id: string) {
    checkId(id);
    this.root = root;
    this.id = id;
    this.dir = join(root, id);
  }

  /** Makes the folder of a new container. */
  make(): void {
    makeFolders(this.root, 0o700);
    try {
      mkdirSync(this.dir, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new RuntimeError(EXISTS);
      throw error;
    }
  }

  /** Replaces state.json as a whole. */
  write(record: ContainerRecord): void {
    const file = join(this.dir, 'state.json');
    writeFileSync(`${file}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  get exists(): boolean {
    return this.readRaw() !== undefined;
  }

  /** undefined: no folder; null: a folder without a record. */
  private readRaw(): ContainerRecord | null | undefined {
    try {
      return JSON.parse(readFileSync(join(this.dir, 'state.json'), 'utf8')) as ContainerRecord;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') {
        if (error instanceof SyntaxError) return null;
        throw error;
      }
    }
    try {
      readdirSync(this.dir);
      return null;
    } catch {
      return undefined;
    }
  }

  read(): ContainerRecord {
    const record = this.readRaw();
    if (record === undefined || record === null) throw new RuntimeError(NOT_EXIST);
    return record;
  }

  /** What is left by a `create` that died before it wrote anything. */
  get isRemnant(): boolean {
    return this.readRaw() === null;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  connect(): ControlClient | null {
    return ControlClient.connect(this.dir);
  }

  /** What the container does now. */
  status(record: ContainerRecord): Status {
    if (!isAlive(record)) return 'stopped';
    if (!record.complete) return 'creating';
    const client = this.connect();
    // Alive, and deaf: it ends just now.
    if (client === null) return 'stopped';
    try {
      const answer = client.ask({ method: 'state' });
      return typeof answer?.status === 'string' ? (answer.status as Status) : 'stopped';
    } finally {
      client.close();
    }
  }
}

export function isAlive(record: ContainerRecord): boolean {
  return record.pid > 0 && startTimeOf(record.pid) === record.startTime;
}

/** Ids of all containers. */
export function listIds(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== LOCKS)
      .map((entry) => entry.name)
      .sort();
  } catch {
    return [];
  }
}
