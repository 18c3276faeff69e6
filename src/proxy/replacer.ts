// Replacement in a stream of bytes: each of a few byte strings by another, wherever chunks end. The result is what a
// replacement in the whole text would give: leftmost first, and of those that begin at one place the longest.

export interface Pattern {
  readonly find: Buffer;
  readonly put: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** How a pattern can stand at a place of the text. */
const NO = 0;
const WHOLE = 1;
/** The text ends within it. */
const BEGUN = 2;

function standsAt(text: Buffer, at: number, find: Buffer): number {
  const n = Math.min(find.length, text.length - at);
  if (text[at] !== find[0] || text.compare(find, 0, n, at, at + n) !== 0) return NO;
  return n === find.length ? WHOLE : BEGUN;
}

/** Patterns made ready: the longest first, without empty ones. */
export class PatternSet {
  readonly patterns: readonly Pattern[];
  readonly longest: number;

  constructor(patterns: readonly Pattern[]) {
    this.patterns = patterns.filter((p) => p.find.length > 0).sort((a, b) => b.find.length - a.find.length);
    this.longest = this.patterns.length === 0 ? 0 : this.patterns[0]!.find.length;
  }

  /** `text` with every pattern replaced. */
  replace(text: Buffer): Buffer {
    const r = new Replacer(this);
    return Buffer.concat([r.push(text), r.end()]);
  }

  /** The first pattern that `text` holds, or null. */
  foundIn(text: Buffer): Pattern | null {
    return this.patterns.find((p) => text.includes(p.find)) ?? null;
  }
}

/** The state of one stream. What it keeps is at most the beginning of a pattern. */
export class Replacer {
  private readonly set: PatternSet;
  /** Where each pattern is found next in the text at hand; -1 for nowhere. */
  private readonly next: number[];
  private kept: Buffer = NOTHING;
  /** How often something was replaced. */
  hits = 0;

  constructor(set: PatternSet) {
    this.set = set;
    this.next = set.patterns.map(() => 0);
  }

  /** Takes bytes in; what is certain by now comes out. A tail that cannot begin a pattern is not held back. */
  push(chunk: Buffer): Buffer {
    if (this.set.longest === 0 || chunk.length === 0) return chunk;
    return this.run(this.kept.length === 0 ? chunk : Buffer.concat([this.kept, chunk]), false);
  }

  /** The rest, at the end of the stream. */
  end(): Buffer {
    const rest = this.kept;
    this.kept = NOTHING;
    return rest.length === 0 ? rest : this.run(rest, true);
  }

  private run(text: Buffer, last: boolean): Buffer {
    const out: Buffer[] = [];
    // A match that begins before `sure` cannot turn out to be a longer one: all patterns fit behind it.
    const sure = last ? text.length : Math.max(0, text.length - this.set.longest + 1);
    let from = 0;
    let at = 0;
    this.next.fill(0);
    while (at < sure) {
      const best = this.nearest(text, at);
      if (best < 0 || this.next[best]! >= sure) break;
      const { find, put } = this.set.patterns[best]!;
      out.push(text.subarray(from, this.next[best]!), put);
      this.hits++;
      at = from = this.next[best]! + find.length;
    }
    at = Math.max(at, sure);
    let keep = text.length;
    scan: while (at < text.length) {
      for (const { find, put } of this.set.patterns) {
        const how = standsAt(text, at, find);
        if (how === NO) continue;
        if (how === BEGUN) {
          if (last) continue;
          keep = at;
          break scan;
        }
        out.push(text.subarray(from, at), put);
        this.hits++;
        at = from = at + find.length;
        continue scan;
      }
      at++;
    }
    // A copy: the chunk is of a pool, which a few kept bytes would hold in memory.
    this.kept = keep < text.length ? Buffer.from(text.subarray(keep)) : NOTHING;
    if (out.length === 0) return text.subarray(0, keep);
    out.push(text.subarray(from, keep));
    return Buffer.concat(out);
  }

  /** The pattern found first at or after `at`, the longest of several; -1 when there is none. */
  private nearest(text: Buffer, at: number): number {
    let best = -1;
    for (let i = 0; i < this.next.length; i++) {
      if (this.next[i]! >= 0 && (this.next[i]! < at || at === 0))
        this.next[i] = text.indexOf(this.set.patterns[i]!.find, at);
      if (this.next[i]! >= 0 && (best < 0 || this.next[i]! < this.next[best]!)) best = i;
    }
    return best;
  }
}
