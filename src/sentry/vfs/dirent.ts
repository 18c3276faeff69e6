// Directory entry types: <dirent.h>. DT_* are the S_IFMT bits shifted down.

import { S_IFMT } from '../../abi/stat.ts';

export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;

/** The DT_* of a mode. */
export function direntType(mode: number): number {
  return (mode & S_IFMT) >> 12;
}
