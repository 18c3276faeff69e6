// Marks: what the host's files cannot say of the guest's, kept in an extended attribute of theirs. An unprivileged user can
// neither give files away nor make devices, and owners must be able to read and write what they keep here: so modes of the
// host are the guest's with the owner's rights added, and where that or the owner differs a mark has the truth.
//
// A mark is the text "MODE UID GID RDEV [opaque] [acl]", the mode octal and with its type, or "whiteout" on an empty file. What is
// neither file nor directory is an empty file whose mark says what it is; a symbolic link's text is the content of one when
// the link's owner is not the host's.

import { EIO, ENODATA, EOPNOTSUPP } from '../../../abi/errno.ts';
import { S_IFDIR, S_IFMT } from '../../../abi/fs/stat.ts';
import { bytesToString, stringToBytes } from '../../base/bytes.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Inode } from '../../vfs/inode.ts';

const MARK = 'user.vedette.inode';
/** Attributes of the guest's that a user cannot give files of the host, or that are ours: their whole name follows. */
const KEPT = 'user.vedette.x.';
const OURS = 'user.vedette.';
const WHITEOUT_TEXT = 'whiteout';

/** In the place of a mark: the name is gone. */
export const WHITEOUT = 'whiteout';

export interface Mark {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** A directory that shows nothing of the lower one. */
  readonly opaque: boolean;
  /** It has access control lists, in attributes. */
  readonly acl: boolean;
}

/** The mark of an upper object: null for none, -EIO for one that nobody here made. */
export function readMark(ctx: VfsContext, upper: Inode): Mark | typeof WHITEOUT | null | number {
  const value = upper.getxattr(ctx, MARK);
  if (typeof value === 'number') return value === -ENODATA || value === -EOPNOTSUPP ? null : value;
  const text = bytesToString(value, 0, value.length);
  if (text === WHITEOUT_TEXT) return WHITEOUT;
  const m = /^([0-7]{5,6}) (\d{1,10}) (\d{1,10}) (\d{1,15})( opaque)?( acl)?$/.exec(text);
  if (m === null) return -EIO;
  const mode = Number.parseInt(m[1]!, 8);
  const type = mode & S_IFMT;
  // A directory stays one, and nothing else becomes one.
  if ((type === S_IFDIR) !== ((upper.mode & S_IFMT) === S_IFDIR)) return -EIO;
  return {
    mode,
    uid: Number(m[2]) >>> 0,
    gid: Number(m[3]) >>> 0,
    rdev: Number(m[4]),
    opaque: m[5] !== undefined,
    acl: m[6] !== undefined,
  };
}

/** Puts a mark on an upper object: 0 or -errno. */
export function writeMark(ctx: VfsContext, upper: Inode, mark: Mark | typeof WHITEOUT): number {
  const text =
    mark === WHITEOUT
      ? WHITEOUT_TEXT
      : `${mark.mode.toString(8)} ${mark.uid} ${mark.gid} ${mark.rdev}${mark.opaque ? ' opaque' : ''}${mark.acl ? ' acl' : ''}`;
  return upper.setxattr(ctx, MARK, stringToBytes(text), 0);
}

/** Does the host's object tell less than the mark would? */
export function needsMark(upper: Inode, mark: Mark): boolean {
  return (
    mark.opaque ||
    mark.acl ||
    (upper.mode & S_IFMT) !== (mark.mode & S_IFMT) ||
    hostMode(mark.mode) !== (mark.mode & 0o7777) ||
    upper.uid !== mark.uid ||
    upper.gid !== mark.gid
  );
}

/** The mode that the host's object gets: its owner can use it, and nobody runs it with the owner's rights. */
export function hostMode(mode: number): number {
  return (mode & S_IFMT) === S_IFDIR ? (mode & 0o777) | 0o700 : (mode & 0o777) | 0o600;
}

/** Under which name an attribute of the guest's is kept on the host. */
export function keptName(name: string): string {
  return name.startsWith('user.') && !name.startsWith(OURS) ? name : KEPT + name;
}

/** The guest's name of an attribute of the host's; null for what is none of the guest's. */
export function guestName(kept: string): string | null {
  if (kept.startsWith(KEPT)) return kept.slice(KEPT.length);
  return kept.startsWith('user.') && !kept.startsWith(OURS) ? kept : null;
}

/** Namespaces of attributes that guests have. */
export function knownXattr(name: string): boolean {
  return name.startsWith('user.') || name.startsWith('trusted.') || name.startsWith('security.');
}
