// A trial of the free mode on a host that is not idle: nobody can tell beforehand whether spinning in the slices that one
// gets is faster than switching, so it is tried for some of the scheduler's slices and judged by the events that came.

/** How long it is tried: several of the scheduler's slices. */
const TRIAL_NS = 15_000_000;
/** The least that counts as a result. */
const TRIAL_EVENTS = 32;
/** How much faster events must come. */
const ADVANTAGE = 1.15;
/** Time between trials, which doubles with each that failed. */
const PAUSE_NS = 100_000_000;
const PAUSE_MAX_NS = 3_200_000_000;

export class Trial {
  /** The free mode is being tried; or was, and is kept although the host is not idle. */
  running = false;
  kept = false;
  /** What an event took at home, in us. */
  private homeUs = 0;
  private sinceNs = 0;
  private nextNs = 0;
  private pauseNs = PAUSE_NS;
  private events = 0;

  /** True when enough time has passed since the last one failed. */
  due(nowNs: number): boolean {
    return nowNs >= this.nextNs;
  }

  /** The free mode begins, after events took `homeUs` at home. */
  begin(nowNs: number, homeUs: number): void {
    this.running = true;
    this.kept = false;
    this.homeUs = homeUs;
    this.sinceNs = nowNs;
    this.events = 0;
  }

  /** True while the free mode is judged by what came of it alone. */
  get judges(): boolean {
    return this.running || this.kept;
  }

  /** `events` more came. */
  count(events: number): void {
    this.events += events;
  }

  /** True when it is better to go home, with `pending` events that were not counted yet. */
  failed(nowNs: number, pending: number): boolean {
    const spent = nowNs - this.sinceNs;
    if (!this.judges || spent < TRIAL_NS) return false;
    const events = this.events + pending;
    const eachUs = spent / 1000 / Math.max(1, events);
    // Once it has proved itself it goes on while it is no worse.
    const good = eachUs * (this.kept ? 1 : ADVANTAGE) < this.homeUs;
    if (!good || (this.running && events < TRIAL_EVENTS)) return this.fail(nowNs);
    this.running = false;
    this.kept = true;
    this.pauseNs = PAUSE_NS;
    this.sinceNs = nowNs;
    this.events = -pending;
    return false;
  }

  private fail(nowNs: number): true {
    this.end();
    this.nextNs = nowNs + this.pauseNs;
    this.pauseNs = Math.min(2 * this.pauseNs, PAUSE_MAX_NS);
    return true;
  }

  /** The free mode ended for another reason. */
  end(): void {
    this.running = this.kept = false;
  }
}
