// Which files of the host the kernel process may still open, and for what: follows from the sandbox's options, and is held by
// the host's Landlock (landlock(7)) on every thread. It begins before the platform's first stub is started: the domain of a
// process may look at others, trace and signal them only when they are in it as well.
//
// What is not about opening (attributes, removing rights, links' texts) is the seccomp filter's to deny (sentry_calls.ts).

import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { ENOENT, ENOSYS, EOPNOTSUPP, EPERM, ETIMEDOUT, errnoName } from '../../abi/errno.ts';
import {
  AT_FDCWD,
  F_GETFL,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from '../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT, STAT_ST_MODE } from '../../abi/fs/stat.ts';
import { PATH_MAX } from '../../abi/limits.ts';
import * as L from '../../abi/process/landlock.ts';
import { SYS_close, SYS_fcntl, SYS_fstat, SYS_openat } from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { landlockAbi, Ruleset, signalsOfThreads } from '../../host/landlock.ts';
import { hostCall } from '../../host/syscall.ts';
import { fromText, hostPath } from '../../sentry/base/bytes.ts';
import { failed } from '../../sentry/base/errno.ts';
import type { SandboxOptions } from '../options.ts';

/** What may be done with what the rule names and all below it. */
const READ = L.LANDLOCK_ACCESS_FS_READ_FILE | L.LANDLOCK_ACCESS_FS_READ_DIR;
const LIST = L.LANDLOCK_ACCESS_FS_READ_DIR;
const WRITE = L.LANDLOCK_ACCESS_FS_WRITE_FILE | L.LANDLOCK_ACCESS_FS_TRUNCATE;
/** To write to a file that is there. */
const FILL = L.LANDLOCK_ACCESS_FS_READ_FILE | WRITE | L.LANDLOCK_ACCESS_FS_IOCTL_DEV;
/** To change a tree: no devices are made in it. */
const CHANGE =
  READ |
  WRITE |
  L.LANDLOCK_ACCESS_FS_REFER |
  L.LANDLOCK_ACCESS_FS_REMOVE_DIR |
  L.LANDLOCK_ACCESS_FS_REMOVE_FILE |
  L.LANDLOCK_ACCESS_FS_MAKE_DIR |
  L.LANDLOCK_ACCESS_FS_MAKE_REG |
  L.LANDLOCK_ACCESS_FS_MAKE_SOCK |
  L.LANDLOCK_ACCESS_FS_MAKE_FIFO |
  L.LANDLOCK_ACCESS_FS_MAKE_SYM;
const ALL =
  CHANGE |
  L.LANDLOCK_ACCESS_FS_EXECUTE |
  L.LANDLOCK_ACCESS_FS_MAKE_CHAR |
  L.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
  L.LANDLOCK_ACCESS_FS_IOCTL_DEV;
/** Interfaces of the host's kernel that ours reads, and the folder with our own code, of which parts are loaded when needed. */
const OWN_READS = ['/proc', '/sys/devices/system', import.meta.dirname];
const OWN_DEVICES = ['/dev/null', '/dev/tty'];
/** The first version that can let files change directories. */
const ABI_OF_REFER = 2;

interface Reach {
  /** Of the host, as text. */
  readonly path: string;
  readonly access: number;
  /** The file is made, with this mode, when it is not there: somebody will open it to write. 0 for not. */
  readonly made: number;
}

function reach(path: string, access: number, made = 0): Reach {
  return { path, access, made };
}

function isFile(path: string): boolean {
  buffer.putString(fromText(path));
  const fd = hostCall(SYS_openat, AT_FDCWD, buffer.addr, O_PATH | O_CLOEXEC, 0);
  if (fd < 0) return false;
  const directory = isDirectory(fd);
  hostCall(SYS_close, fd);
  return !directory;
}

/** What the options give the sandbox of the host's files. */
function reachOf(o: SandboxOptions): Reach[] {
  const all: Reach[] = [reach(o.rootfs, READ)];
  for (const { source, shared, readonly } of o.mounts) {
    all.push(reach(source, shared && !readonly ? CHANGE : READ));
    // The names beside a file are seen, for its directory is opened; what they stand for is not.
    if (!shared && isFile(source)) all.push(reach(dirname(source), LIST));
  }
  if (o.overlay !== null) all.push(reach(o.overlay, CHANGE));
  const { mode, pcap, log } = o.network;
  if (pcap !== null) all.push(reach(pcap, FILL, 0o600));
  if (log !== null) all.push(reach(log, FILL, 0o600));
  if (o.diff !== null && o.diff !== '-') all.push(reach(o.diff, FILL, 0o666));
  for (const path of OWN_READS) all.push(reach(path, READ));
  for (const path of OWN_DEVICES) all.push(reach(path, FILL));
  if (mode !== 'none') all.push(reach('/etc/resolv.conf', READ), reach('/sys/class/net', READ));
  if (mode === 'host' || mode === 'sandbox') all.push(reach('/sys/devices', READ));
  if (mode === 'sandbox') all.push(reach('/dev/net/tun', FILL), reach('/proc/sys/net', FILL));
  return all;
}

/** Does the sandbox see the host's whole tree? Then reading is not restricted. */
function seesAll(o: SandboxOptions): boolean {
  const roots = [o.rootfs, ...o.mounts.map(({ source }) => source)];
  return roots.some((path) => {
    try {
      return realpathSync(hostPath(path)).toString() === '/';
    } catch {
      // Who uses it says so.
      return false;
    }
  });
}

const buffer = HostBuffer.alloc(PATH_MAX + 1);
const stat = HostBuffer.alloc(144);

function isDirectory(fd: number): boolean {
  if (hostCall(SYS_fstat, fd, stat.addr) < 0) return false;
  return (stat.view.getUint32(STAT_ST_MODE, true) & S_IFMT) === S_IFDIR;
}

/** Allows what one rule says. What is not there needs none: who wants to use it complains. */
function allow(rules: Ruleset, { path, access, made }: Reach): number {
  const bytes = fromText(path);
  if (bytes.length > PATH_MAX) return 0;
  buffer.putString(bytes);
  let fd = hostCall(SYS_openat, AT_FDCWD, buffer.addr, O_PATH | O_CLOEXEC, 0);
  if (fd === -ENOENT && made !== 0)
    fd = hostCall(
      SYS_openat,
      AT_FDCWD,
      buffer.addr,
      O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
      made,
    );
  if (fd < 0) return 0;
  const r = rules.allow(fd, access, isDirectory(fd));
  hostCall(SYS_close, fd);
  return r;
}

/** Allows to open the file of a descriptor anew, for what the descriptor is open. */
function allowAgain(rules: Ruleset, fd: number): number {
  const mode = hostCall(SYS_fcntl, fd, F_GETFL, 0);
  if (mode < 0) return 0;
  const reads = (mode & O_ACCMODE) === O_RDONLY;
  return rules.allow(fd, reads ? FILL & ~WRITE : FILL, isDirectory(fd));
}

/** Job control stops the caller's other processes together with us (host_stop.ts). */
function hasTerminal(): boolean {
  buffer.putString('/dev/tty');
  const fd = hostCall(SYS_openat, AT_FDCWD, buffer.addr, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return false;
  hostCall(SYS_close, fd);
  return true;
}

/** For people: why Landlock does not hold. */
export function landlockRefusal(r: number): string {
  if (r === -ENOSYS) return 'this kernel has none';
  if (r === -EOPNOTSUPP) return 'it is off in this kernel (boot option lsm=)';
  if (r === -EPERM) return 'the host refuses it (a container whose seccomp profile lacks it)';
  if (r === -ENOENT) return '/proc does not list our threads';
  if (r === -ETIMEDOUT) return 'a thread did not answer';
  return errnoName(-r);
}

/** Gives up the files that the options do not name, on all threads; what was done, for the log. Throws an Error when the host refuses. */
export function restrictFiles(o: SandboxOptions, descriptors: readonly number[]): string {
  const abi = landlockAbi();
  if (abi < 0) throw new Error(landlockRefusal(abi));
  const writes = o.overlay !== null || o.mounts.some(({ shared }) => shared);
  if (writes && abi < ABI_OF_REFER)
    throw new Error('its first version lets no file change its directory, as --bind and --overlay have to');
  const files = seesAll(o) ? ALL & ~READ : ALL;
  const { mode } = o.network;
  const net = mode === 'none' || mode === 'sandbox';
  const sockets = net ? L.LANDLOCK_ACCESS_NET_BIND_TCP | L.LANDLOCK_ACCESS_NET_CONNECT_TCP : 0;
  const signals = signalsOfThreads() && !hasTerminal() ? L.LANDLOCK_SCOPE_SIGNAL : 0;
  const scopes = L.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | signals;
  const rules = Ruleset.create(abi, files, sockets, scopes);
  if (failed(rules)) throw new Error(landlockRefusal(rules));
  let r = 0;
  for (const rule of reachOf(o)) if (r >= 0) r = allow(rules, rule);
  for (const fd of descriptors) if (r >= 0) r = allowAgain(rules, fd);
  if (r >= 0) r = rules.restrict();
  rules.close();
  if (r < 0) throw new Error(landlockRefusal(r));
  const what = files === ALL ? 'reading and writing' : 'writing';
  return `Landlock ${abi}: ${what}${net ? ', TCP' : ''}${signals ? ', signals' : ''}, on ${r} threads`;
}
