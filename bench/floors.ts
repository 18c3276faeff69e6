// What this host asks at the least for the steps of a row: micro/floors.c measures the steps, this says which a row takes.

import { run } from './children.ts';
import { median, parseFigures } from './stats.ts';

/** The figures of floors.c, with what they are called in the heading. */
const NAMES = {
  syscall: 'system call',
  sigsys: 'SIGSYS + rt_sigreturn',
  switch: 'switch on one cpu',
  wakeup: 'wake-up across cpus',
  handover: 'hand-over and back, both cpus spinning',
  handover_gs_word: 'the same, line found by a word behind gs',
  handover_rdgsbase: 'by rdgsbase',
  set_fs: 'arch_prctl(ARCH_SET_FS)',
  cpuid: 'cpuid',
  clock_gettime: 'clock_gettime',
  rdtsc: 'rdtsc',
};

export type FloorName = keyof typeof NAMES;

/**
 * The steps without which a row cannot be: [step, how often]. A system call of the program is one hand-over; a call that
 * the host's own VDSO answers is none. Rows whose work is the host's anyway (fork, page faults, whole programs) have none.
 */
const OF_ROW: Readonly<Record<string, readonly [FloorName, number]>> = {
  null_call_trapped: ['sigsys', 1],
  clock_gettime: ['clock_gettime', 1],
  // getpid, gettid, tgkill and the return from the handler.
  signal_self: ['handover', 4],
  open_close: ['handover', 2],
  create_unlink: ['handover', 3],
  mmap_munmap: ['handover', 2],
  pipe_self: ['handover', 2],
  eventfd_self: ['handover', 2],
  // One way and back; on one cpu no wake-up has to cross.
  pipe_pingpong: ['switch', 2],
  unix_pingpong: ['switch', 2],
  futex_pingpong: ['switch', 2],
};
const ONE_CALL =
  /^(null_call|getppid|first_calls|stat|epoll_ready|(p?(read|write))(_(zero|null))?_(1|4k|64k))$/;

/** The floors of a run, looked at several times while it goes on, since the host may change. */
export class Floors {
  private readonly samples: Map<string, number[]> = new Map();

  /** Adds what floors.c printed. */
  add(output: string): void {
    for (const [name, values] of parseFigures(output))
      this.samples.set(name, [...(this.samples.get(name) ?? []), ...values]);
  }

  /** The median in ns; undefined where the step cannot be had or measured. */
  get(name: FloorName | 'fsgsbase'): number | undefined {
    const values = this.samples.get(name);
    return values === undefined ? undefined : median(values);
  }

  /** Whether programs may use rdgsbase and its like: AT_HWCAP2's word, not the processor's. */
  get fsgsbase(): boolean | undefined {
    const value = this.get('fsgsbase');
    return value === undefined ? undefined : value === 1;
  }

  /** The floor of a row in ns. */
  ofRow(caseName: string): number | undefined {
    const [step, times] = OF_ROW[caseName] ?? [ONE_CALL.test(caseName) ? 'handover' : undefined, 1];
    const one = step === undefined ? undefined : this.get(step);
    return one === undefined ? undefined : one * times;
  }

  /** Pairs of what was measured and its figure. */
  list(): [string, number][] {
    return (Object.keys(NAMES) as FloorName[]).flatMap((name) => {
      const value = this.get(name);
      return value === undefined ? [] : [[NAMES[name], value]];
    });
  }

  toJSON(): object {
    return Object.fromEntries(
      [...this.samples].map(([name, values]) => [name, { median: median(values), values }]),
    );
  }
}

/** Measures once more: two seconds at the most. */
export async function measureFloors(program: string, floors: Floors): Promise<void> {
  floors.add((await run([program], 15_000)).stdout);
}
