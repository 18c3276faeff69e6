// The variable in which the program `vedette` (cli/starter.ts) tells what Node.js makes invisible: hexadecimal numbers, a
// colon after each: pid, sets of ignored and of blocked signals, soft limits in the order of their numbers, then the open descriptors.

import { RLIM_NLIMITS, RLIM64_INFINITY } from '../abi/process/resource.ts';

export const NOTE_NAME = 'VEDETTE_INHERITED';
const LIMITS_AT = 3;

export interface Note {
  /** Signal sets; bit n-1 of the 64 stands for signal n. */
  readonly ignoredLo: number;
  readonly ignoredHi: number;
  readonly blockedLo: number;
  readonly blockedHi: number;
  /** Infinity for none. */
  readonly softLimits: readonly number[];
  readonly openFds: readonly number[];
}

/** What a note says that was written by this process before it became Node.js; null for another one's, or none. */
export function parseNote(text: string | undefined, pid: number): Note | null {
  if (text === undefined || !/^([0-9a-f]{1,16}:){19,}$/.test(text)) return null;
  const fields = text.split(':').slice(0, -1);
  const numbers = fields.map((field) => Number.parseInt(field, 16));
  if (numbers[0] !== pid) return null;
  const low = (set: string) => Number.parseInt(set.slice(-8), 16);
  const high = (set: string) => Number.parseInt(set.slice(0, -8) || '0', 16);
  return {
    ignoredLo: low(fields[1]!),
    ignoredHi: high(fields[1]!),
    blockedLo: low(fields[2]!),
    blockedHi: high(fields[2]!),
    softLimits: numbers
      .slice(LIMITS_AT, LIMITS_AT + RLIM_NLIMITS)
      .map((limit) => (limit >= RLIM64_INFINITY ? Number.POSITIVE_INFINITY : limit)),
    openFds: numbers.slice(LIMITS_AT + RLIM_NLIMITS),
  };
}
