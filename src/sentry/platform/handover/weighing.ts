// What events cost in the modes of placement.ts, and which mode the last ones would rather have had. Costs differ by ten
// times between hosts, so they are taken from what happens here: the shortest way of a thread at home to its next event and
// back is what a call costs there (two switches), and exchanges with mappers are timed in either mode. Knows neither cpus
// nor clocks.

/** Events after which the modes are weighed. */
export const WEIGH_EVENTS = 256;
/** A call at home and beside the Sentry, until it is measured, and bounds of what the free mode saves, in us. */
const HOME_CALL = 3;
const FREE_CALL = 0.5;
const LEAST_SAVED = 2;
const MOST_SAVED = 100;
/** Ways at home in one window that make its shortest one count. */
const WAYS_THAT_COUNT = 8;
/** What an exchange with a mapper costs more in the free mode, until it is measured, and bounds of it, in us. */
const EXCHANGE_COSTS = 15;
const LEAST_EXCHANGE_COSTS = 5;
const MOST_EXCHANGE_COSTS = 100;
/** Exchanges that are measured before they count; and the weight of the next one. */
const EXCHANGES_THAT_COUNT = 8;
const EXCHANGE_WEIGHT = 1 / 16;
/** A sleep or wake-up across cpus costs so many times what an exchange costs more. */
const WAKE_PER_EXCHANGE = 35 / 15;
/** The other mode must be so much better. */
const ADVANTAGE = 1.3;

/** What an event costs with all threads at home, what when they are spread, and what a wake-up across cpus delays it, in us. */
const HOME_EVENT = 5;
const SPREAD_EVENT = 8;
const SPREAD_DELAY = 60;
/** How much better the other of the two must be. */
const SPREAD_ADVANTAGE = 1.15;

export class Weighing {
  /** Since the modes were weighed: events, running threads at these, exchanges, and sleeps ended from another cpu. */
  private events = 0;
  private crowd = 0;
  private exchanges = 0;
  wakes = 0;
  private sinceNs: number;
  /** The shortest way to user mode and back at home since then, and how many there were. */
  private wayNs = Number.POSITIVE_INFINITY;
  private ways = 0;
  /** A call at home, in us. */
  homeCall = HOME_CALL;
  /** Average exchanges at home and in the free mode, in us, and how many were measured. */
  private readonly exchange: [number, number] = [0, 0];
  private readonly measured: [number, number] = [0, 0];
  /** Of the window that was weighed last: what an event took, in us; threads that ran; what the free mode saves and costs. */
  eachUs = 0;
  threads = 0;
  saves = 0;
  costs = 0;

  constructor(nowNs: number) {
    this.sinceNs = nowNs;
  }

  /** An event came while `running` threads ran, the one that it is of included. True when the modes are to be weighed. */
  event(running: number): boolean {
    this.crowd += running;
    return ++this.events >= WEIGH_EVENTS;
  }

  /** Events of the window that is not over. */
  get pending(): number {
    return this.events;
  }

  /** An exchange with a mapper took `ns`. */
  exchanged(free: boolean, ns: number): void {
    this.exchanges++;
    const mode = free ? 1 : 0;
    const us = ns / 1000;
    // A thread of the host's may have run in between: one outlier must not count for many.
    const old = this.exchange[mode]!;
    const seen = ++this.measured[mode]!;
    const weight = Math.max(1 / seen, EXCHANGE_WEIGHT);
    this.exchange[mode] = old + weight * (Math.min(us, seen > 1 ? 4 * old : us) - old);
  }

  /** A thread at home was in user mode, switches included, for `ns`. */
  wasAwayAtHome(ns: number): void {
    this.ways++;
    if (ns < this.wayNs) this.wayNs = ns;
  }

  /** Ends the window at `nowNs`: sets what is told of it, and begins the next one. */
  weigh(nowNs: number): void {
    if (this.ways >= WAYS_THAT_COUNT) this.homeCall = (this.homeCall + this.wayNs / 1000) / 2;
    const saved = Math.min(Math.max(this.homeCall - FREE_CALL, LEAST_SAVED), MOST_SAVED);
    this.saves = this.events * saved;
    this.costs = this.exchangeCosts() * (this.exchanges + this.wakes * WAKE_PER_EXCHANGE);
    this.eachUs = (nowNs - this.sinceNs) / 1000 / Math.max(1, this.events);
    this.threads = this.crowd / Math.max(1, this.events);
    this.sinceNs = nowNs;
    this.events = this.crowd = this.exchanges = this.wakes = this.ways = 0;
    this.wayNs = Number.POSITIVE_INFINITY;
  }

  /** What an exchange costs more in the free mode, in us. */
  private exchangeCosts(): number {
    const { exchange, measured } = this;
    if (Math.min(measured[0], measured[1]) < EXCHANGES_THAT_COUNT) return EXCHANGE_COSTS;
    return Math.min(Math.max(exchange[1] - exchange[0], LEAST_EXCHANGE_COSTS), MOST_EXCHANGE_COSTS);
  }

  /** The events of the last window would have cost less in the free mode. */
  get wantsFree(): boolean {
    return this.saves > this.costs * ADVANTAGE;
  }

  /** The events of the last window would have cost less at home. */
  get wantsHome(): boolean {
    return this.costs > this.saves * ADVANTAGE;
  }

  /** Shall threads that are at home use every one of `cpus`, or go on doing so (`spread`)? */
  spreadPays(cpus: number, spread: boolean): boolean {
    const { eachUs, threads } = this;
    // What one computes between its events, from what the events made of it: with a cpu for all, or some, or delays only.
    const used = Math.min(cpus, threads);
    const computes = spread
      ? Math.min(used * eachUs - SPREAD_EVENT, threads * eachUs - SPREAD_DELAY)
      : eachUs - HOME_EVENT;
    const atHome = 1 / (Math.max(computes, 0) + HOME_EVENT);
    const everywhere = Math.min(
      used / (Math.max(computes, 0) + SPREAD_EVENT),
      threads / (Math.max(computes, 0) + SPREAD_DELAY),
    );
    return spread ? everywhere * SPREAD_ADVANTAGE > atHome : everywhere > atHome * SPREAD_ADVANTAGE;
  }
}
