// Every stay in the free mode is a trial: the costs of weighing.ts are a forecast, and what came of it decides. On an idle
// host it only has to be no disaster, as it is while V8's compiler takes the cpu that one side spins on, or the host's
// own processors are not there when they should be. Where others use the cpus nobody can tell beforehand whether
// spinning in the slices that one gets is faster than switching: there it has to prove itself.

/** How long events are counted before they are judged: several of the scheduler's slices, since one of them may be somebody else's. */
const IDLE_NS = 25_000_000;
const BUSY_NS = 25_000_000;
/** The least that counts as a result on a busy host. */
const BUSY_EVENTS = 32;
/** An event in the free mode over one at home before, at most: at first, and later. */
const IDLE_LIMITS: Limits = { first: 1.5, later: 2 };
const BUSY_LIMITS: Limits = { first: 0.87, later: 1 };
/** A window of events is a promise when one of them takes so much of what it takes at home. */
const PROMISE = 0.75;
/** Time between trials on a busy host, which doubles with each that failed. */
const PAUSE_NS = 100_000_000;
const PAUSE_MAX_NS = 3_200_000_000;

interface Limits {
  readonly first: number;
  readonly later: number;
}

export class Trial {
  private busy = false;
  /** It has been judged, and goes on. */
  private proved = false;
  /** What an event took at home, in us. */
  private homeUs = 0;
  private sinceNs = 0;
  private nextNs = 0;
  private pauseNs = PAUSE_NS;
  private events = 0;
  /** Of this stay: some events were faster than at home; and since the last bad result. */
  promised = false;
  private hope = false;
  /** The last result was bad. */
  private spared = false;

  /** True when enough time has passed since the last one failed on a busy host. */
  due(nowNs: number): boolean {
    return nowNs >= this.nextNs;
  }

  /** The free mode begins, after events took `homeUs` at home; others use the cpus as well, or not. */
  begin(nowNs: number, homeUs: number, busy: boolean): void {
    this.busy = busy;
    this.proved = false;
    this.homeUs = homeUs;
    this.sinceNs = nowNs;
    this.events = 0;
    this.promised = this.hope = this.spared = false;
  }

  /** What came of it is all that counts: forecasts of costs are for idle hosts. */
  get decides(): boolean {
    return this.busy;
  }

  /** `events` more came, in `eachUs` each. */
  count(events: number, eachUs: number): void {
    this.events += events;
    if (eachUs < this.homeUs * PROMISE) this.promised = this.hope = true;
  }

  /** True when it is better to go home, with `pending` events that were not counted yet. */
  failed(nowNs: number, pending: number): boolean {
    const spent = nowNs - this.sinceNs;
    if (spent < (this.busy ? BUSY_NS : IDLE_NS)) return false;
    const events = this.events + pending;
    const limits = this.busy ? BUSY_LIMITS : IDLE_LIMITS;
    const limit = this.homeUs * (this.proved ? limits.later : limits.first);
    const few = this.busy && !this.proved && events < BUSY_EVENTS;
    const bad = few || spent / 1000 > limit * Math.max(1, events);
    if (bad && this.busy) {
      this.nextNs = nowNs + this.pauseNs;
      this.pauseNs = Math.min(2 * this.pauseNs, PAUSE_MAX_NS);
      return true;
    }
    // A compilation of V8's is over soon: after it, what was seen before it is to be had again.
    if (bad && (this.spared || !this.hope)) return true;
    if (bad) this.hope = false;
    else {
      this.proved = true;
      this.pauseNs = PAUSE_NS;
    }
    this.spared = bad;
    this.sinceNs = nowNs;
    this.events = -pending;
    return false;
  }
}
