// /proc/cpuinfo: the host's processor, as many times as the sandbox has CPUs. Guest code runs on the real processor, so
// its model and flags are the truth.

import { readFileSync } from 'node:fs';

/** Lines of the host's first processor, read once at boot. */
let hostLines: readonly string[] | null = null;

function firstProcessor(): readonly string[] {
  if (hostLines !== null) return hostLines;
  let text = '';
  try {
    text = readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    // A host without /proc: the minimum that parsers need.
    text = 'processor\t: 0\nvendor_id\t: unknown\n';
  }
  hostLines = text.split('\n\n', 1)[0]!.split('\n');
  return hostLines;
}

/** Reads the host's file now, while the host still allows it. */
export function prepareCpuinfo(): void {
  firstProcessor();
}

/** The text for `count` CPUs in one package, one thread per core. */
export function cpuinfoText(count: number, lines: readonly string[] = firstProcessor()): string {
  let out = '';
  for (let cpu = 0; cpu < count; cpu++) {
    const own: Record<string, number> = {
      processor: cpu,
      'physical id': 0,
      siblings: count,
      'core id': cpu,
      'cpu cores': count,
      apicid: cpu,
      'initial apicid': cpu,
    };
    for (const line of lines) {
      const name = line.slice(0, line.indexOf(':')).trimEnd();
      const value = own[name];
      out += value === undefined ? line : `${line.slice(0, line.indexOf(':'))}: ${value}`;
      out += '\n';
    }
    out += '\n';
  }
  return out;
}
