// Directories of procfs refuse new names with ENOENT, not EPERM: on Linux their lookup knows no negative entries.

import { ENOENT } from '../../../abi/errno.ts';
import { StaticDirInode, SyntheticDirInode } from '../../vfs/synthetic.ts';

/** A directory whose names change. */
export abstract class ProcDirInode extends SyntheticDirInode {
  override newNameError(): number {
    return -ENOENT;
  }
}

/** A directory with a fixed table. */
export class ProcStaticDir extends StaticDirInode {
  override newNameError(): number {
    return -ENOENT;
  }
}
