// What Vedette wants to reach, and whether a run did.

import type { FloorName, Floors } from './floors.ts';
import { microUnits } from './micro_units.ts';
import type { Results } from './results.ts';
import type { Runner } from './runners.ts';
import { ratio, time } from './table.ts';

export interface Verdict {
  readonly name: string;
  readonly runner: string;
  readonly figure: string;
  readonly target: string;
  /** 'shown': the figure is given for comparison and nothing is asked of it. */
  readonly met: boolean | 'unknown' | 'shown';
  readonly note?: string;
}

interface Target {
  readonly case: string;
  /** Nanoseconds, or a multiple: of a floor of this host, of native where none is named. */
  readonly ns?: number;
  readonly ratio?: number;
  readonly floor?: FloorName;
  /** Of the platforms, only systrap is meant. */
  readonly systrap?: true;
  /** Judged where programs have no FSGSBASE, or are kept from it; elsewhere the figure is shown. */
  readonly withoutFsgsbase?: true;
  /** Meant where a call of the host itself costs DEAR_NS or more. */
  readonly dearHost?: true;
}

/** Ours over a peer's figure up to which both count as equal: rows that only compute differ by chance. */
export const TIE = 1.02;
const DEAR_NS = 1000;

const TARGETS: readonly Target[] = [
  { case: 'null_call', ns: 700 },
  { case: 'null_call', ratio: 1.3, floor: 'handover', systrap: true, withoutFsgsbase: true },
  { case: 'null_call', ratio: 1, systrap: true, dearHost: true },
  { case: 'null_call_trapped', ns: 2000 },
  { case: 'null_call_trapped', ratio: 1.5, floor: 'sigsys', systrap: true },
  { case: 'first_calls', ratio: 10, systrap: true, dearHost: true },
  { case: 'clock_gettime', ratio: 3 },
  { case: 'clock_gettime', ratio: 2 },
  { case: 'signal_self', ratio: 5 },
  { case: 'pread_4k', ratio: 3 },
  { case: 'stat', ratio: 5 },
  { case: 'open_close', ratio: 5 },
  { case: 'fork_exec_wait', ratio: 5 },
  { case: 'cpu_bound', ratio: 1.03 },
  { case: 'python_start', ratio: 2 },
  { case: 'c_build', ratio: 1.6 },
];

/** Rows of micro/ in which several threads or processes exchange something. */
const EXCHANGES = ['pipe_pingpong', 'unix_pingpong', 'futex_pingpong', 'thread_create_join'];
const singleThreaded = microUnits.flatMap((unit) => unit.cases).filter((name) => !EXCHANGES.includes(name));

/** Judges one of our runners; targets whose case was not asked for, or that are not meant here, are left out. */
export function judge(
  results: Results,
  ours: Runner,
  peers: readonly Runner[],
  floors: Floors,
  busyLoops = 0,
): Verdict[] {
  // Beside busy loops, absolute figures and floors that were taken without them say nothing: runsc has the same load.
  const verdicts = busyLoops > 0 ? [] : TARGETS.flatMap((target) => judgeOne(results, ours, floors, target));
  if (peers.length > 0) {
    const single = results.cases.filter((name) => singleThreaded.includes(name));
    if (single.length > 0)
      verdicts.push(better(results, ours, peers, 'single-threaded, against runsc', single));
    verdicts.push(better(results, ours, peers, 'faster than runsc', results.cases));
  }
  return verdicts;
}

function judgeOne(results: Results, ours: Runner, floors: Floors, target: Target): Verdict[] {
  if (!results.cases.includes(target.case)) return [];
  if (target.systrap && !ours.name.startsWith('vedette-systrap')) return [];
  // Unknown counts as dear: a target must not go away because something could not be measured.
  const hostCall = results.figure('null_call', 'native')?.value ?? floors.get('syscall') ?? DEAR_NS;
  if (target.dearHost && hostCall < DEAR_NS) return [];
  const figure = results.figure(target.case, ours.name)?.value;
  const floor = target.floor === undefined ? undefined : floors.get(target.floor);
  const overFloor = figure === undefined || floor === undefined ? undefined : figure / floor;
  const multiple = target.floor === undefined ? results.ratio(target.case, ours.name, 'native') : overFloor;
  const value = target.ns === undefined ? multiple : figure;
  const limit = target.ns ?? target.ratio!;
  const show = target.ns === undefined ? ratio : time;
  const of = target.ns === undefined ? ` of ${target.floor ?? 'native'}` : '';
  const shownOnly = target.withoutFsgsbase && floors.fsgsbase !== false && !ours.name.endsWith('-nofs');
  return [
    {
      name: target.case,
      runner: ours.name,
      figure: value === undefined ? 'no figure' : show(value),
      target: shownOnly ? `no limit${of}` : `<= ${show(limit)}${of}`,
      met: shownOnly ? 'shown' : value === undefined ? 'unknown' : value <= limit,
    },
  ];
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

function better(
  results: Results,
  ours: Runner,
  peers: readonly Runner[],
  name: string,
  cases: readonly string[],
): Verdict {
  const compared = cases.flatMap((name) => {
    const value = againstPeers(results, name, ours, peers);
    return value === undefined ? [] : [{ name, value }];
  });
  const slower = compared.filter(({ value }) => value > TIE);
  const names = slower.map(({ name, value }) => `${name} ${ratio(value)}`).join(', ');
  return {
    name,
    runner: ours.name,
    figure: `${compared.length - slower.length} of ${compared.length}`,
    target: 'every row',
    met: compared.length === 0 ? 'unknown' : slower.length === 0,
    ...(slower.length > 0 && { note: `${ours.name}, ${name}: slower in ${names}` }),
  };
}
