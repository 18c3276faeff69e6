// The kernel's log: one line per entry, to a sink that the runtime sets (a --debug-log file, or nowhere).

export type LogSink = (line: string) => void;
let sink: LogSink | null = null;

/** Sets where log lines go; null turns logging off. */
export function setLogSink(to: LogSink | null): void {
  sink = to;
}

/** True when somebody reads the log: guard the building of costly messages with it. */
export function logging(): boolean {
  return sink !== null;
}

/** Writes one line with a timestamp. */
export function log(message: string): void {
  if (sink !== null) sink(`${new Date().toISOString()} ${message}`);
}

/** Counters of what is not supported, by name: invariant 4 ("counted and logged once"). */
export const unsupported: Map<string, number> = new Map();

/** Names hold numbers that guests choose: beyond this many, all count as one. */
const MAX_NAMES = 1000;
const OTHERS = 'others';

/** Counts a use of something that is not supported and logs it the first time. */
export function countUnsupported(what: string): void {
  const count = unsupported.get(what) ?? 0;
  if (count === 0) {
    if (unsupported.size >= MAX_NAMES && what !== OTHERS) {
      countUnsupported(OTHERS);
      return;
    }
    log(`unsupported: ${what}`);
  }
  unsupported.set(what, count + 1);
}
