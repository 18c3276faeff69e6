// What Vedette wants to reach, and whether a run did.

import type { Results } from './results.ts';
import type { Runner } from './runners.ts';
import { ratio, time } from './table.ts';

export interface Verdict {
  readonly name: string;
  readonly runner: string;
  readonly figure: string;
  readonly target: string;
  readonly met: boolean | 'unknown';
  readonly note?: string;
}

interface Target {
  readonly case: string;
  /** Nanoseconds, or a multiple of native. */
  readonly ns?: number;
  readonly ratio?: number;
}

/** Ours over a peer's figure up to which both count as equal: rows that only compute differ by chance. */
export const TIE = 1.02;

const TARGETS: readonly Target[] = [
  { case: 'null_call', ns: 700 },
  { case: 'null_call_trapped', ns: 2000 },
  { case: 'clock_gettime', ratio: 3 },
  { case: 'pread_4k', ratio: 3 },
  { case: 'stat', ratio: 5 },
  { case: 'open_close', ratio: 5 },
  { case: 'fork_exec_wait', ratio: 5 },
  { case: 'cpu_bound', ratio: 1.03 },
  { case: 'python_start', ratio: 2 },
  { case: 'c_build', ratio: 1.6 },
];

/** Judges one of our runners; targets whose case was not asked for are left out. */
export function judge(results: Results, ours: Runner, peers: readonly Runner[]): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const target of TARGETS) {
    if (!results.cases.includes(target.case)) continue;
    const figure = results.figure(target.case, ours.name)?.value;
    const multiple = results.ratio(target.case, ours.name, 'native');
    const value = target.ns === undefined ? multiple : figure;
    const limit = target.ns ?? target.ratio!;
    const show = target.ns === undefined ? ratio : time;
    verdicts.push({
      name: target.case,
      runner: ours.name,
      figure: value === undefined ? 'no figure' : show(value),
      target: `<= ${show(limit)}`,
      met: value === undefined ? 'unknown' : value <= limit,
    });
  }
  if (peers.length > 0) verdicts.push(better(results, ours, peers));
  return verdicts;
}

/** The figure of ours over that of the fastest peer; above 1, ours is slower. */
export function againstPeers(
  results: Results,
  caseName: string,
  ours: Runner,
  peers: readonly Runner[],
): number | undefined {
  const ratios = peers.map((peer) => results.ratio(caseName, ours.name, peer.name));
  const known = ratios.filter((r) => r !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function better(results: Results, ours: Runner, peers: readonly Runner[]): Verdict {
  const compared = results.cases.flatMap((name) => {
    const value = againstPeers(results, name, ours, peers);
    return value === undefined ? [] : [{ name, value }];
  });
  const slower = compared.filter(({ value }) => value > TIE);
  const names = slower.map(({ name, value }) => `${name} ${ratio(value)}`).join(', ');
  return {
    name: 'faster than runsc',
    runner: ours.name,
    figure: `${compared.length - slower.length} of ${compared.length}`,
    target: 'every row',
    met: compared.length === 0 ? 'unknown' : slower.length === 0,
    ...(slower.length > 0 && { note: `${ours.name} is slower than runsc: ${names}` }),
  };
}
