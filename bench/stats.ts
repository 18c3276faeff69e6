// Figures out of printed lines, and what is said about many of them.

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}

/** The lines "NAME NUMBER" of a program's output; other lines belong to the programs that it ran. */
export function parseFigures(output: string): Map<string, number[]> {
  const figures = new Map<string, number[]>();
  for (const [, name, value] of output.matchAll(/^([a-z]\w*) (\d+(?:\.\d+)?)\r?$/gm)) {
    const known = figures.get(name!);
    if (known === undefined) figures.set(name!, [Number(value)]);
    else known.push(Number(value));
  }
  return figures;
}
