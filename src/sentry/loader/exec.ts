// Loader: what execve(2) and the first program's start have in common: path and arguments to an address space that is
// ready to run. Implements kernel/task/loader_interface.ts.

import { EINVAL, ELOOP, ENODATA, ENOENT, EOPNOTSUPP } from '../../abi/errno.ts';
import { AT_FDCWD } from '../../abi/fs/fcntl.ts';
import { MS_NOSUID } from '../../abi/fs/mount.ts';
import { XATTR_NAME_CAPS } from '../../abi/fs/xattr.ts';
import { ADDR_NO_RANDOMIZE } from '../../abi/process/personality.ts';
import { RLIMIT_STACK } from '../../abi/process/resource.ts';
import { failed } from '../base/errno.ts';
import { ArgStrings } from '../kernel/task/arg_strings.ts';
import { credForExec, type ExecCred } from '../kernel/task/exec_cred.ts';
import { decodeFileCaps } from '../kernel/task/file_caps.ts';
import {
  LOAD_KILLS,
  type LoadArgs,
  type LoadedProgram,
  type ProgramLoader,
} from '../kernel/task/loader_interface.ts';
import { pathString } from '../vfs/dpath.ts';
import type { File } from '../vfs/file.ts';
import { allowWrite } from '../vfs/open.ts';
import { checkArguments } from './args.ts';
import { BINPRM_BUF_SIZE, openExec, readAt } from './binprm.ts';
import { interpreterPath, type Program, readInterpreter, readProgram } from './elf.ts';
import { buildImage } from './image.ts';
import { parseScript } from './script.ts';

/** Interpreters of interpreters that are followed before ELOOP. */
const MAX_NESTING = 5;

/** A program file with the arguments that reach it: scripts have been replaced by their interpreters. */
interface Target {
  readonly file: File;
  readonly prefix: Uint8Array;
  readonly argv: ArgStrings;
}

export class ExecLoader implements ProgramLoader {
  loadProgram(args: LoadArgs): LoadedProgram | number {
    const filename = displayName(args.dirfd, args.path);
    const target = this.resolve(args, filename);
    if (failed(target)) return target;
    const r = this.loadTarget(args, filename, target);
    if (failed(r)) target.file.unref();
    return r;
  }

  /** Follows `#!` lines to a file that is no script. */
  private resolve(args: LoadArgs, filename: string): Target | number {
    // As Linux does since 5.18: a program may rely on argv[0].
    let argv = args.argv.count === 0 ? ArgStrings.of(['']) : args.argv;
    let name = filename;
    let file = openExec(args.ctx, args.dirfd, args.path, args.flags);
    for (let depth = 0; ; depth++) {
      if (failed(file)) return file;
      const prefix = new Uint8Array(BINPRM_BUF_SIZE);
      const n = readAt(args.ctx, file, 0, prefix);
      const script = n < 0 ? n : parseScript(prefix);
      if (script === null) return { file, prefix, argv };
      file.unref();
      if (failed(script)) return script;
      // A script behind a descriptor that exec closes could not be opened by its interpreter.
      if (depth === 0 && this.closesOnExec(args)) return -ENOENT;
      if (depth >= MAX_NESTING) return -ELOOP;
      const head = script.argument === null ? [script.interpreter] : [script.interpreter, script.argument];
      argv = argv.headedBy([...head, name]);
      name = script.interpreter;
      file = openExec(args.ctx, AT_FDCWD, name, 0);
    }
  }

  private closesOnExec(args: LoadArgs): boolean {
    return args.dirfd !== AT_FDCWD && !args.path.startsWith('/') && args.ctx.fds.isCloexec(args.dirfd);
  }

  private loadTarget(args: LoadArgs, filename: string, target: Target): LoadedProgram | number {
    const { ctx } = args;
    const fit = checkArguments(filename, target.argv, args.envp, args.limits.soft(RLIMIT_STACK));
    if (fit < 0) return fit;
    const image = readProgram(ctx, target.file, target.prefix);
    if (failed(image)) return image === -EINVAL ? LOAD_KILLS : image;
    const program: Program = { file: target.file, image };
    const interpreter = this.openInterpreter(args, program);
    if (failed(interpreter)) return interpreter;
    const exec = this.credentials(args, target.file);
    if (failed(exec)) {
      if (interpreter.program !== null) releaseInterpreter(interpreter.program.file);
      return exec;
    }
    const randomize = (args.personality & ADDR_NO_RANDOMIZE) === 0 || exec.setid;
    const built = buildImage(args, program, interpreter.program, {
      execfn: filename,
      argv: target.argv,
      envp: args.envp,
      cred: exec.cred,
      secure: exec.secure,
      randomize,
    });
    if (interpreter.program !== null) releaseInterpreter(interpreter.program.file);
    if (failed(built)) return built;
    const { path } = target.file;
    const exePath = path === null ? target.file.describe() : pathString(path, ctx.fs.root);
    return {
      ...built,
      exePath,
      exeFile: target.file,
      name: commName(args.path, path === null ? memfdName(exePath) : path.dentry.name),
      cred: exec.cred,
      secure: exec.secure,
    };
  }

  private openInterpreter(args: LoadArgs, program: Program): { program: Program | null } | number {
    const path = interpreterPath(args.ctx, program.file, program.image);
    if (path === null) return { program: null };
    if (typeof path === 'number') return path;
    const file = openExec(args.ctx, AT_FDCWD, path, 0);
    if (failed(file)) return file;
    const image = readInterpreter(args.ctx, file);
    if (failed(image)) {
      file.unref();
      return image === -EINVAL ? LOAD_KILLS : image;
    }
    return { program: { file, image } };
  }

  private credentials(args: LoadArgs, file: File): ExecCred | number {
    const nosuid = file.path !== null && (file.path.mount.flags & MS_NOSUID) !== 0;
    const value = nosuid ? -ENODATA : file.inode.getxattr(args.ctx, XATTR_NAME_CAPS);
    // What cannot be read is an error: the program must not run with other rights than its file says.
    if (failed(value) && value !== -ENODATA && value !== -EOPNOTSUPP) return value;
    const caps = failed(value) ? null : decodeFileCaps(value);
    return typeof caps === 'number' ? caps : credForExec(args.cred, file.inode, nosuid, caps, args.sharesFs);
  }
}

/** What Linux calls the program when it was named by a descriptor (bprm->filename): AT_EXECFN, a script's argument. */
function displayName(dirfd: number, path: string): string {
  if (dirfd === AT_FDCWD || path.startsWith('/')) return path;
  return path === '' ? `/dev/fd/${dirfd}` : `/dev/fd/${dirfd}/${path}`;
}

/** "memfd:x" of "/memfd:x (deleted)". */
function memfdName(described: string): string {
  return described.slice(1, described.lastIndexOf(' '));
}

/** comm: the last component of the path; of a descriptor, the name of the file. */
function commName(path: string, fileName: string): string {
  return path === '' ? fileName : path.slice(path.lastIndexOf('/') + 1);
}

/** The interpreter is mapped: its file may be written again, as on Linux (allow_write_access). */
function releaseInterpreter(file: File): void {
  if (file.deniesWrite) {
    file.deniesWrite = false;
    allowWrite(file.inode);
  }
  file.unref();
}
