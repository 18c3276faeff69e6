// Page arithmetic on JS numbers. Addresses exceed 32 bits, so bit operators are out; these helpers are the only way.

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const TWO32 = 0x1_0000_0000;

/** Rounds an address down to its page. */
export function pageDown(addr: number): number {
  return addr - (addr % PAGE_SIZE);
}

/** Rounds an address up to a page; the address itself when aligned. */
export function pageUp(addr: number): number {
  const rest = addr % PAGE_SIZE;
  return rest === 0 ? addr : addr + (PAGE_SIZE - rest);
}

/** Bytes into its page (0-4095). Exact for addresses below 2^53. */
export function pageOffset(addr: number): number {
  return addr % PAGE_SIZE;
}
