// What the hand-over knows of guest threads and of the host threads that run them: no more than it needs.

/** A host thread that runs guest code. */
export interface HostThread {
  readonly pid: number;
  readonly tid: number;
  /** Its line (line.ts): the memory, and the index of the first word, which is the state. */
  readonly words: Int32Array;
  readonly at: number;
  /** Where the Sentry has it mapped. */
  readonly hostAddr: number;
  /** Placement: where it may run (placement.ts), when it last ran, and short runs since. */
  place: number;
  resumedNs: number;
  shortRuns: number;
}

/** A guest thread. */
export interface Handed {
  /** The host thread, while there is one. */
  readonly slot: HostThread | null;
  /** The memory and the index of the word that says whether an event is there: odd. Any even word without a host thread. */
  readonly words: Int32Array;
  readonly stateAt: number;
  /** Between resume() and its event. */
  running: boolean;
  /** It waits for its turn to run; when its slice was looked at, and how long it had run when its turn came. */
  queued: boolean;
  sinceNs: number;
  sinceCpuNs: number;
  /** Place in the list of those in user mode, or -1. */
  runIndex: number;
  /** Reads the event that the state tells of; false when there is none to deliver after all. */
  collect(): boolean;
  /** The answer will take long: its host thread need not spin for it. */
  park(): void;
  /** Has it come back soon. */
  interrupt(): void;
  /** It is its turn to run. */
  takeTurn(): void;
  /** It did not come back when it was told to: its process ends. */
  end(): void;
}
