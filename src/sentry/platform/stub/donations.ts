// Donations: files of the host that stubs map. All stubs of a platform share one table of descriptors (CLONE_FILES), so
// a file is handed over once for all address spaces to come. Guests can make no calls on these descriptors.

import { maxHostFiles } from '../../../host/limits.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';

/** The stubs' table of descriptors. */
export interface StubTable {
  /** Puts a copy of the Sentry's descriptor into the table: its number there, or -errno. */
  giveFd(fd: number): number;
  /** Carries out all queued orders, which may name descriptors, then closes these. */
  closeFds(numbers: readonly number[]): void;
}

/** Files held at once; the half used least recently goes when there are more. The stubs have few descriptors else. */
const MAX_FILES = Math.min(256, Math.floor(maxHostFiles / 2));

export class Donations {
  private readonly table: StubTable;
  /** Descriptors in the stubs, the one used last at the end. */
  private readonly numbers: Map<DonatedFile, number> = new Map();
  /** The host said no: files that come later are copied. */
  refused = false;

  constructor(table: StubTable) {
    this.table = table;
  }

  /** The descriptor that stubs have of the file, or -errno. */
  numberOf(file: DonatedFile): number {
    const known = this.numbers.get(file);
    if (known !== undefined) {
      this.numbers.delete(file);
      this.numbers.set(file, known);
      return known;
    }
    const fd = file.hostFd();
    if (fd < 0) return fd;
    if (this.numbers.size >= MAX_FILES) this.closeOldest();
    const number = this.table.giveFd(fd);
    if (number < 0) this.refused = true;
    else this.numbers.set(file, number);
    return number;
  }

  private closeOldest(): void {
    const old = [...this.numbers].slice(0, MAX_FILES / 2);
    for (const [file] of old) this.numbers.delete(file);
    this.table.closeFds(old.map(([, number]) => number));
  }
}
