// `vedette exec`: another program in a container that runs. A process of the host stands for it: this one, or with --detach one that is
// left behind (exec_wait.ts), and has its status in the end.

import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { type ContainerRecord, StateFolder } from '../../runtime/oci/state.ts';
import type { Context } from './context.ts';
import { command, makeConsole, spawnSelf, writePidFile } from './create.ts';
import { beginExec, waitExec } from './exec_wait.ts';
import { type Flags, readFlags } from './flags.ts';

const EXEC_FLAGS = {
  'console-socket': 'text',
  'pidfd-socket': 'text',
  cwd: 'text',
  env: 'list',
  tty: 'bool',
  user: 'text',
  'additional-gids': 'list',
  process: 'text',
  detach: 'bool',
  'pid-file': 'text',
  'process-label': 'text',
  apparmor: 'text',
  'no-new-privs': 'bool',
  cap: 'list',
  'preserve-fds': 'text',
  cgroup: 'text',
  'ignore-paused': 'bool',
} as const;

type Json = Record<string, unknown>;

/** The process of a flag line: that of the container, changed. The container checks it. */
function processOf(flags: Flags, record: ContainerRecord): Json {
  const file = flags.text('process');
  const read = (path: string): Json => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Json;
    } catch (error) {
      throw new RuntimeError(`${path}: ${(error as Error).message}`);
    }
  };
  if (file !== null) return read(file);
  const args = flags.words.slice(1);
  if (args.length === 0)
    throw new RuntimeError('exec: no program; fix: vedette exec ID CMD, or --process FILE');
  const base = (read(join(record.bundle, 'config.json')).process ?? {}) as Json;
  const p: Json = { ...base, args, terminal: flags.has('tty') };
  const cwd = flags.text('cwd');
  if (cwd !== null) p.cwd = cwd;
  p.env = [...((base.env as string[] | undefined) ?? []), ...flags.list('env')];
  const user = flags.text('user');
  if (user !== null) {
    const m = /^(\d+)(?::(\d+))?$/.exec(user);
    if (m === null) throw new RuntimeError(`--user ${user}: not understood; fix: UID[:GID]`);
    p.user = { uid: Number(m[1]), gid: Number(m[2] ?? 0) };
  }
  const gids = flags.list('additional-gids').map(Number);
  if (gids.length > 0) p.user = { ...(p.user as Json), additionalGids: gids };
  if (flags.has('no-new-privs')) p.noNewPrivileges = true;
  const more = flags.list('cap');
  if (more.length > 0) {
    const caps = (p.capabilities ?? {}) as Record<string, string[]>;
    const added = (name: string) => [...(caps[name] ?? []), ...more];
    p.capabilities = {
      ...caps,
      ...Object.fromEntries(['bounding', 'effective', 'permitted'].map((name) => [name, added(name)])),
    };
  }
  return p;
}

/** Says what a program could not be started for: 255 is runc's status of it. */
function failure(text: unknown): never {
  throw new RuntimeError(`exec failed: ${String(text)}`, 255);
}

export async function exec(ctx: Context, words: readonly string[]): Promise<number> {
  const flags = readFlags(words, EXEC_FLAGS, 1);
  const id = flags.words[0];
  if (id === undefined) throw new RuntimeError('"exec" requires a container; fix: vedette exec ID CMD');
  const folder = new StateFolder(ctx.root, id);
  const record = folder.read();
  const status = folder.status(record);
  if (status === 'stopped') throw new RuntimeError('cannot exec in a stopped container', 255);
  if (status === 'paused') throw new RuntimeError('cannot exec in a paused container', 255);
  const p = processOf(flags, record);
  if (flags.number('preserve-fds') > 0) ctx.log.warn('--preserve-fds: not handed on to a program of exec');
  const pidFile = flags.text('pid-file');
  if (!flags.has('detach')) {
    if (p.terminal === true)
      throw new RuntimeError(
        'exec: a terminal needs --detach and --console-socket; fix: both, or no --tty',
        255,
      );
    const begun = beginExec(folder.dir, p);
    if (typeof begun === 'string') failure(begun === '' ? NOT_RUNNING : begun);
    for (const line of begun.warnings) ctx.log.warn(line);
    if (pidFile !== null) writePidFile(pidFile, process.pid);
    return waitExec(begun, false);
  }
  const size = p.consoleSize as { height: number; width: number } | undefined;
  const pty = p.terminal === true ? makeConsole(flags.text('console-socket'), size ?? null) : null;
  const { child, sync } = spawnSelf(
    'exec-wait',
    pty === null ? [0, 1, 2] : [pty.slave, pty.slave, pty.slave],
    '/',
  );
  if (pty !== null) closeSync(pty.slave);
  const answer = await command(child, sync, { dir: folder.dir, process: p });
  if (answer === null || typeof answer.error === 'string') failure(answer?.error || NOT_RUNNING);
  for (const line of answer.warnings as string[]) ctx.log.warn(line);
  if (pidFile !== null) writePidFile(pidFile, child.pid!);
  child.unref();
  return 0;
}
