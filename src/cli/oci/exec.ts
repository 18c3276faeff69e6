// `vedette exec`: another program in a container that runs. A process of the host stands for it: this one, or with --detach one that is
// left behind (exec_wait.ts), and has its status in the end.

import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { MESSAGE_FDS } from '../../host/unix_socket.ts';
import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { type ContainerRecord, StateFolder } from '../../runtime/oci/state.ts';
import type { Context } from './context.ts';
import { command, ended, makeConsole, sendPidfd, spawnSelf, writePidFile } from './create.ts';
import { beginExec, waitExec } from './exec_wait.ts';
import { type Flags, readFlags } from './flags.ts';
import { Relay } from './terminal.ts';

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

/** Descriptors of one message to the container, without the standard ones. */
const PRESERVED_MOST: number = MESSAGE_FDS - 3;

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

const STATUS_FAILED = 255;

/** Says what a program could not be started for. */
function failure(text: unknown): never {
  throw new RuntimeError(`exec failed: ${String(text)}`);
}

/** The command; 255 is its status when it is not the program's. */
export async function exec(ctx: Context, words: readonly string[]): Promise<number> {
  try {
    return await execProgram(ctx, words);
  } catch (error) {
    throw error instanceof RuntimeError ? new RuntimeError(error.message, STATUS_FAILED) : error;
  }
}

async function execProgram(ctx: Context, words: readonly string[]): Promise<number> {
  const flags = readFlags(words, EXEC_FLAGS, 1);
  const id = flags.words[0];
  if (id === undefined) throw new RuntimeError('"exec" requires a container; fix: vedette exec ID CMD');
  const folder = new StateFolder(ctx.root, id);
  const record = folder.read();
  const status = folder.status(record);
  if (status === 'stopped') throw new RuntimeError('cannot exec in a stopped container');
  if (status === 'paused') throw new RuntimeError('cannot exec in a paused container');
  const p = processOf(flags, record);
  const group = flags.text('cgroup') ?? '';
  if (group !== '' && group !== '/')
    throw new RuntimeError(`--cgroup ${group}: a container has one control group; fix: leave it out`);
  const more = flags.number('preserve-fds');
  if (more > PRESERVED_MOST) throw new RuntimeError(`--preserve-fds ${more}: at most ${PRESERVED_MOST}`);
  const fds = Array.from({ length: 3 + more }, (_, i) => i);
  const pidFile = flags.text('pid-file');
  const detach = flags.has('detach');
  if (!detach && p.terminal !== true) {
    const begun = beginExec(folder.dir, p, fds);
    if (typeof begun === 'string') failure(begun === '' ? NOT_RUNNING : begun);
    for (const line of begun.warnings) ctx.log.warn(line);
    if (pidFile !== null) writePidFile(pidFile, process.pid);
    sendPidfd(flags, process.pid, 'setns');
    return waitExec(begun, []);
  }
  const socket = flags.text('console-socket');
  const size = p.consoleSize as { height: number; width: number } | undefined;
  const pty = p.terminal === true ? makeConsole(socket, size ?? null, !detach) : null;
  const { child, sync } = spawnSelf(
    'exec-wait',
    pty === null ? fds : [pty.slave, pty.slave, pty.slave, ...fds.slice(3)],
    '/',
  );
  if (pty !== null) closeSync(pty.slave);
  const answer = await command(child, sync, { dir: folder.dir, process: p, fds: fds.length });
  if (answer === null || typeof answer.error === 'string') failure(answer?.error || NOT_RUNNING);
  for (const line of answer.warnings as string[]) ctx.log.warn(line);
  if (pidFile !== null) writePidFile(pidFile, child.pid!);
  sendPidfd(flags, child.pid!, 'setns');
  if (detach) {
    child.unref();
    return 0;
  }
  const relay = new Relay(pty!.master);
  await ended(child);
  await relay.end();
  return child.exitCode ?? 128 + constants.signals[child.signalCode ?? 'SIGKILL'];
}
