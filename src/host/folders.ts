// Folders with those above them. Node.js's own `recursive` tries for ever where the host says ENOENT to mkdir(2), as in /proc.

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes `dir` and what is missing above it with `mode`; throws what mkdir(2) says. */
export function makeFolders(dir: string, mode = 0o777): void {
  if (existsSync(dir)) return;
  const above = dirname(dir);
  if (above !== dir) makeFolders(above, mode);
  try {
    mkdirSync(dir, { mode });
  } catch (error) {
    // Others may make it as well.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
