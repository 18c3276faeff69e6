// Where V8 keeps the code that it makes: one reserved range of address space per process, seen in proc_pid_maps(5).

import { readFileSync } from 'node:fs';

export interface CodeRange {
  readonly from: number;
  readonly size: number;
}

/** V8 reserves 128 MiB or more; our own routines have some pages each. */
const LEAST = 32 * 2 ** 20;
const MOST = 2 ** 30;
const TWO32 = 2 ** 32;

/**
 * The ranges in which V8 makes code, each within one 4 GiB: from the first executable memory of no file's on, as far as
 * there is no gap; V8's own builtins, mapped there from the file of Node.js, belong to it. Empty when nothing is made there.
 */
export function codeRanges(maps: string, executable: string): CodeRange[] {
  const found: CodeRange[] = [];
  let from = -1;
  let end = -1;
  const close = () => {
    if (from >= 0 && end - from >= LEAST) found.push({ from, size: Math.min(end - from, MOST) });
    from = -1;
  };
  for (const line of maps.split('\n')) {
    const m = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+) *(.*)$/.exec(line);
    if (m === null) continue;
    const start = Number.parseInt(m[1]!, 16);
    const anonymous = m[4] === '0' && m[5] === '';
    if (from >= 0 && (start !== end || !(anonymous || m[5] === executable))) close();
    if (from < 0 && anonymous && m[3]![2] === 'x') from = start;
    end = Number.parseInt(m[2]!, 16);
  }
  close();
  return found.flatMap(cut);
}

/** The range in pieces that each lie within one 4 GiB, as conditions on halves of addresses want it. */
function cut({ from, size }: CodeRange): CodeRange[] {
  const border = (Math.floor(from / TWO32) + 1) * TWO32;
  if (from + size < border) return [{ from, size }];
  return [
    { from, size: border - from - 1 },
    { from: border, size: from + size - border },
  ].filter((r) => r.size > 0);
}

/** Those of this process; null where there is no /proc to tell. */
export function ownCodeRanges(): CodeRange[] | null {
  try {
    return codeRanges(readFileSync('/proc/self/maps', 'latin1'), process.execPath);
  } catch {
    return null;
  }
}
