// What was measured: for each case and runner the samples of every pass, or why there are none.

import { median } from './stats.ts';

export interface Cell {
  /** Nanoseconds per operation, one list per pass. */
  readonly passes: number[][];
  failed?: string;
  skipped?: string;
  /** Why earlier attempts failed, when a later one gave the figures. */
  retried?: string[];
}

export interface Figure {
  /** Median over the passes of their medians. */
  readonly median: number;
  readonly min: number;
  /** The one of both that tables and ratios use. */
  readonly value: number;
}

export class Results {
  private readonly rows: Map<string, Map<string, Cell>> = new Map();
  private readonly best: boolean;

  /** With `best`, figures are the best samples instead of medians. */
  constructor(best: boolean) {
    this.best = best;
  }

  get cases(): string[] {
    return [...this.rows.keys()];
  }

  add(caseName: string, runner: string, samples: number[]): void {
    this.cell(caseName, runner).passes.push(samples);
  }

  fail(caseName: string, runner: string, reason: string): void {
    this.cell(caseName, runner).failed = reason;
  }

  skip(caseName: string, runner: string, reason: string): void {
    this.cell(caseName, runner).skipped = reason;
  }

  retried(caseName: string, runner: string, reasons: readonly string[]): void {
    const cell = this.cell(caseName, runner);
    cell.retried = [...(cell.retried ?? []), ...reasons];
  }

  find(caseName: string, runner: string): Cell | undefined {
    return this.rows.get(caseName)?.get(runner);
  }

  figure(caseName: string, runner: string): Figure | undefined {
    const passes = this.find(caseName, runner)?.passes ?? [];
    if (passes.length === 0) return undefined;
    const middle = median(passes.map(median));
    const min = Math.min(...passes.flat());
    return { median: middle, min, value: this.best ? min : middle };
  }

  /** The runner's figure over the figure of `base`, when both exist. */
  ratio(caseName: string, runner: string, base: string): number | undefined {
    const own = this.figure(caseName, runner);
    const other = this.figure(caseName, base);
    return own === undefined || other === undefined ? undefined : own.value / other.value;
  }

  toJSON(): Record<string, Record<string, object>> {
    const json: Record<string, Record<string, object>> = {};
    for (const [caseName, cells] of this.rows) {
      const row: Record<string, object> = {};
      for (const [runner, cell] of cells) {
        const { median, min } = this.figure(caseName, runner) ?? {};
        row[runner] = { median, min, ...cell };
      }
      json[caseName] = row;
    }
    return json;
  }

  private cell(caseName: string, runner: string): Cell {
    let row = this.rows.get(caseName);
    if (row === undefined) this.rows.set(caseName, (row = new Map()));
    let cell = row.get(runner);
    if (cell === undefined) row.set(runner, (cell = { passes: [] }));
    return cell;
  }
}
