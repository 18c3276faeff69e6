// The first program: found in the guest's PATH as execvp(3) does it, loaded, and what is said when that fails.

import {
  EACCES,
  EAGAIN,
  EISDIR,
  ELIBBAD,
  EMFILE,
  ENOENT,
  ENOEXEC,
  ENOMEM,
  ENOTDIR,
  errnoName,
} from '../abi/errno.ts';
import { AT_FDCWD } from '../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT } from '../abi/fs/stat.ts';
import { fromText } from '../sentry/base/bytes.ts';
import { failed } from '../sentry/base/errno.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import { ArgStrings } from '../sentry/kernel/task/arg_strings.ts';
import { discardProgram } from '../sentry/kernel/task/exec.ts';
import { LOAD_KILLS, type LoadedProgram } from '../sentry/kernel/task/loader_interface.ts';
import type { Limits } from '../sentry/kernel/task/rlimits.ts';
import type { VfsContext } from '../sentry/vfs/context.ts';
import { lookup } from '../sentry/vfs/namei.ts';
import { readText } from './files.ts';
import { STATUS_NOT_EXECUTABLE, STATUS_NOT_FOUND, StartError } from './options.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SHELL = '/bin/sh';

const TEXTS: ReadonlyMap<number, string> = new Map([
  [EACCES, 'Permission denied'],
  [EAGAIN, 'too few processes; fix: raise "ulimit -u" by 64 or more, or the pids limit of the container'],
  [EISDIR, 'Is a directory'],
  [ELIBBAD, 'Bad interpreter'],
  [EMFILE, 'too few open files; fix: raise "ulimit -n" to 64 or more'],
  [ENOMEM, 'too little memory; fix: a larger --memory, or raise "ulimit -v"'],
  [ENOENT, 'No such file or directory'],
  [ENOEXEC, 'Exec format error'],
  [ENOTDIR, 'Not a directory'],
]);

export interface CommandArgs {
  readonly kernel: Kernel;
  readonly ctx: VfsContext;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly limits: Limits;
  readonly personality: number;
}

/** Loads the program, or throws StartError with the status and message that a shell would give. */
export function loadCommand(args: CommandArgs): LoadedProgram {
  const name = args.argv[0]!;
  const argv = args.argv.map(fromText);
  let denied = false;
  for (const path of candidates(args)) {
    const r = load(args, fromText(path), argv);
    if (!failed(r)) return r;
    if (r === -ENOEXEC) return loadByShell(args, path, argv);
    if (r === -EACCES) denied = true;
    if (r === -ENOENT || r === -ENOTDIR || r === -EACCES) {
      if (!name.includes('/')) continue;
    }
    throw refusal(args, name, path, r);
  }
  if (denied) throw new StartError(`${name}: Permission denied`, STATUS_NOT_EXECUTABLE);
  throw new StartError(`${name}: command not found${shellHint(name)}`, STATUS_NOT_FOUND);
}

/** A name that means something to shells, and that no program has. */
function shellHint(name: string): string {
  if (!/[\s|&;<>$]|^(cd|export|source|alias|ulimit|umask|set|exec|eval|type)$/.test(name)) return '';
  const words = /[|&;<>$]/.test(name) || !/\s/.test(name) ? '' : `without the quotes, as separate words, or `;
  return `; fix: ${words}by a shell: sh -c '...'`;
}

/** Paths to try, in order. */
function candidates(args: CommandArgs): string[] {
  const name = args.argv[0]!;
  if (name.includes('/')) return [name];
  const path = args.env.findLast((e) => e.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH;
  // An empty element of PATH is the working directory.
  return path.split(':').map((dir) => (dir === '' ? name : `${dir}/${name}`));
}

function load(args: CommandArgs, path: string, argv: string[]): LoadedProgram | number {
  const program = args.kernel.loader!.loadProgram({
    kernel: args.kernel,
    ctx: args.ctx,
    dirfd: AT_FDCWD,
    path,
    flags: 0,
    argv: ArgStrings.of(argv),
    envp: ArgStrings.of(args.env.map(fromText)),
    cred: args.ctx.cred,
    sharesFs: false,
    limits: args.limits,
    personality: args.personality,
  });
  if (failed(program) || program.unfinished === null) return program;
  let r = 1;
  while (r > 0) r = program.unfinished.step();
  if (r === 0) return program;
  discardProgram(program);
  return LOAD_KILLS;
}

/** A file without a known format: a shell script, unless its first line holds a NUL (as execvp and shells decide). */
function loadByShell(args: CommandArgs, path: string, argv: string[]): LoadedProgram {
  const text = readText(args.ctx, fromText(path));
  if (typeof text === 'number' || !text.slice(0, 128).split('\n')[0]!.includes('\0')) {
    const r = load(args, SHELL, [SHELL, fromText(path), ...argv.slice(1)]);
    if (!failed(r)) return r;
  }
  throw new StartError(`${path}: cannot execute: Exec format error`, STATUS_NOT_EXECUTABLE);
}

function refusal(args: CommandArgs, name: string, path: string, error: number): StartError {
  const found = lookup(args.ctx, fromText(path));
  if (failed(found)) {
    const status = found === -ENOENT || found === -ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
    return new StartError(`${name}: ${textOf(found)}`, status);
  }
  if ((found.dentry.inode!.mode & S_IFMT) === S_IFDIR)
    return new StartError(`${name}: Is a directory`, STATUS_NOT_EXECUTABLE);
  if (error === LOAD_KILLS)
    return new StartError(`${name}: cannot execute: its segments cannot be mapped`, STATUS_NOT_EXECUTABLE);
  // The file is there, so what is missing is its interpreter.
  if (error === -ENOENT)
    return new StartError(`${name}: cannot execute: its interpreter does not exist`, STATUS_NOT_FOUND);
  return new StartError(`${name}: ${textOf(error)}`, STATUS_NOT_EXECUTABLE);
}

function textOf(error: number): string {
  return TEXTS.get(-error) ?? errnoName(-error);
}
