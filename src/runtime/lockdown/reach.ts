// Which files of the host the kernel process may still open, and for what: follows from the sandbox's options, and is held by
// the host's Landlock (landlock(7)) on every thread. It begins before the platform's first stub is started: the domain of a
// process may look at others, trace and signal them only when they are in it as well.
//
// What is not about opening (attributes, removing rights, links' texts) is the seccomp filter's to deny (sentry_calls.ts).

import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { ENOENT } from '../../abi/errno.ts';
import {
  AT_FDCWD,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
  O_WRONLY,
} from '../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT, STAT_ST_MODE } from '../../abi/fs/stat.ts';
import { PATH_MAX } from '../../abi/limits.ts';
import * as L from '../../abi/process/landlock.ts';
import { SYS_close, SYS_fstat, SYS_openat } from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import {
  ALL,
  CHANGE,
  FILL,
  LIST,
  landlockAbi,
  landlockRefusal,
  READ,
  Ruleset,
  signalsOfThreads,
} from '../../host/landlock.ts';
import { hostCall } from '../../host/syscall.ts';
import { fromText, hostPath } from '../../sentry/base/bytes.ts';
import { failed } from '../../sentry/base/errno.ts';
import type { SandboxOptions } from '../options.ts';

/** To listen on sockets with names. */
export const SOCKETS: number = L.LANDLOCK_ACCESS_FS_MAKE_SOCK;
/** Interfaces of the host's kernel that ours reads, and the folder with our own code, of which parts are loaded when needed. */
const OWN_READS = ['/proc', '/sys/devices/system', import.meta.dirname];
const OWN_DEVICES = ['/dev/null', '/dev/tty'];
/** The first version that can let files change directories. */
const ABI_OF_REFER = 2;

export interface Reach {
  /** Of the host, as text. */
  readonly path: string;
  readonly access: number;
  /** The file is made, with this mode, when it is not there: somebody will open it to write. 0 for not. */
  readonly made: number;
}

/** A rule. */
export function reach(path: string, access: number, made = 0): Reach {
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

/** The trees that the sandbox sees. */
function treesOf(o: SandboxOptions): Reach[] {
  const all: Reach[] = [reach(o.rootfs, READ)];
  for (const { source, shared, readonly } of o.mounts) {
    all.push(reach(source, shared && !readonly ? CHANGE : READ));
    // The names beside a file are seen, for its directory is opened; what they stand for is not.
    if (!shared && isFile(source)) all.push(reach(dirname(source), LIST));
  }
  if (o.overlay !== null) all.push(reach(o.overlay, CHANGE));
  return all;
}

/** What the options give the sandbox of the host's files; its trees are a gofer's, when there is one. */
function reachOf(o: SandboxOptions): Reach[] {
  const all = o.gofer ? [] : treesOf(o);
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

/** Job control stops the caller's other processes together with us (host_stop.ts). */
function hasTerminal(): boolean {
  buffer.putString('/dev/tty');
  const fd = hostCall(SYS_openat, AT_FDCWD, buffer.addr, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return false;
  hostCall(SYS_close, fd);
  return true;
}

/** Gives up the files that the options do not name, on all threads; what was done, for the log. Throws an Error when the host refuses. */
export function restrictFiles(
  o: SandboxOptions,
  descriptors: readonly number[],
  more: readonly Reach[] = [],
): string {
  const abi = landlockAbi();
  if (abi < 0) throw new Error(landlockRefusal(abi));
  const writes = !o.gofer && (o.overlay !== null || o.mounts.some(({ shared }) => shared));
  if (writes && abi < ABI_OF_REFER)
    throw new Error('its first version lets no file change its directory, as --bind and --overlay have to');
  const files = !o.gofer && seesAll(o) ? ALL & ~READ : ALL;
  const { mode } = o.network;
  const net = mode === 'none' || mode === 'sandbox';
  const sockets = net ? L.LANDLOCK_ACCESS_NET_BIND_TCP | L.LANDLOCK_ACCESS_NET_CONNECT_TCP : 0;
  const signals = signalsOfThreads() && !hasTerminal() ? L.LANDLOCK_SCOPE_SIGNAL : 0;
  const scopes = L.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | signals;
  const rules = Ruleset.create(abi, files, sockets, scopes);
  if (failed(rules)) throw new Error(landlockRefusal(rules));
  let r = 0;
  for (const rule of [...reachOf(o), ...more]) if (r >= 0) r = allow(rules, rule);
  for (const fd of descriptors) if (r >= 0) r = rules.allowAgain(fd);
  if (r >= 0) r = rules.restrict();
  rules.close();
  if (r < 0) throw new Error(landlockRefusal(r));
  const what = files === ALL ? 'reading and writing' : 'writing';
  return `Landlock ${abi}: ${what}${net ? ', TCP' : ''}${signals ? ', signals' : ''}, on ${r} threads`;
}
