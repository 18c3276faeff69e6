// One mount of config.json: its options become flags of mount(2), and what is for the file system stays text.

import {
  MS_DIRSYNC,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_RELATIME,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
} from '../../abi/fs/mount.ts';
import type { Reader } from './reader.ts';
import type { SpecMount } from './spec.ts';

/** Option -> the flags that it sets and clears: mount(8), "Filesystem-independent mount options". */
const OPTIONS: ReadonlyMap<string, readonly [set: number, clear: number]> = new Map([
  ['ro', [MS_RDONLY, 0]],
  ['rw', [0, MS_RDONLY]],
  ['nosuid', [MS_NOSUID, 0]],
  ['suid', [0, MS_NOSUID]],
  ['nodev', [MS_NODEV, 0]],
  ['dev', [0, MS_NODEV]],
  ['noexec', [MS_NOEXEC, 0]],
  ['exec', [0, MS_NOEXEC]],
  ['noatime', [MS_NOATIME, MS_RELATIME | MS_STRICTATIME]],
  ['atime', [0, MS_NOATIME]],
  ['nodiratime', [MS_NODIRATIME, 0]],
  ['diratime', [0, MS_NODIRATIME]],
  ['relatime', [MS_RELATIME, MS_NOATIME | MS_STRICTATIME]],
  ['norelatime', [0, MS_RELATIME]],
  ['strictatime', [MS_STRICTATIME, MS_NOATIME | MS_RELATIME]],
  ['nostrictatime', [0, MS_STRICTATIME]],
  ['nosymfollow', [MS_NOSYMFOLLOW, 0]],
  ['symfollow', [0, MS_NOSYMFOLLOW]],
  ['sync', [MS_SYNCHRONOUS, 0]],
  ['async', [0, MS_SYNCHRONOUS]],
  ['dirsync', [MS_DIRSYNC, 0]],
  ['mand', [MS_MANDLOCK, 0]],
  ['nomand', [0, MS_MANDLOCK]],
  ['defaults', [0, 0]],
  ['silent', [0, 0]],
  ['loud', [0, 0]],
]);

/** Nothing that is mounted outside later comes in: a sandbox's mounts are its own, as private ones are. */
const PRIVATE = ['private', 'rprivate', 'slave', 'rslave', 'unbindable', 'runbindable'];
const SHARED = ['shared', 'rshared'];
const REFUSED = ['idmap', 'ridmap'];

/** File systems of this kernel. */
export const MOUNT_TYPES = ['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2'];
/** Options that are understood: what `features` tells. */
export const MOUNT_OPTIONS: readonly string[] = [...OPTIONS.keys(), 'bind', 'rbind', ...PRIVATE].sort();

/** Reads a mount; a type or an option that cannot be had is refused, one that means less here than elsewhere told to `warn`. */
export function readMount(r: Reader, bundle: string, warn: (text: string) => void): SpecMount {
  const to = r.at('destination');
  const destination = to.string();
  if (destination === '') to.wrong('empty', 'an absolute path inside');
  const type = r.at('type').stringOr('');
  let flags = 0;
  let bind = type === 'bind';
  let recursive = false;
  const data: string[] = [];
  for (const option of r.at('options').list((o) => o)) {
    const text = option.string();
    // rro and its like: of the mount itself and all below it, which is one here.
    const known = OPTIONS.get(text) ?? (text.startsWith('r') ? OPTIONS.get(text.slice(1)) : undefined);
    if (text === 'bind') bind = true;
    else if (text === 'rbind') {
      bind = true;
      recursive = true;
    } else if (known !== undefined) flags = (flags & ~known[1]) | known[0];
    else if (SHARED.includes(text))
      option.wrong(`${text}: mounts made inside do not reach the host`, 'rprivate or rslave');
    else if (text === 'tmpcopyup') warn(`${option.path}: tmpcopyup: starts empty`);
    else if (REFUSED.includes(text)) option.wrong(`${text} is not supported`, 'leave it out');
    else if (!PRIVATE.includes(text)) data.push(text);
  }
  if (r.at('uidMappings').present || r.at('gidMappings').present)
    r.at('uidMappings').wrong('idmapped mounts are not supported', 'leave the mappings out');
  if (!bind && !MOUNT_TYPES.includes(type))
    r.at('type').wrong(
      `${JSON.stringify(type)} is not supported`,
      `bind, or one of: ${MOUNT_TYPES.join(', ')}`,
    );
  let source = r.at('source').stringOr('');
  if (bind) {
    if (source === '') r.at('source').wrong('missing', 'the path of what is bound');
    if (!source.startsWith('/')) source = `${bundle}/${source}`;
  }
  return {
    // runc takes relative ones for paths from the root, with a warning.
    destination: destination.startsWith('/') ? destination : `/${destination}`,
    type: bind ? 'bind' : type,
    source,
    flags,
    data: data.join(','),
    bind,
    recursive,
  };
}
