// Directory entry types of inodes.

import { S_IFMT } from '../../abi/fs/stat.ts';

export { DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK, DT_UNKNOWN } from '../../abi/fs/dirent.ts';

/** The DT_* of a mode: its S_IFMT bits shifted down. */
export function direntType(mode: number): number {
  return (mode & S_IFMT) >> 12;
}
