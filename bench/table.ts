// Text of figures, and columns that line up.

/** Rows of cells as lines; the first column is text, the others are figures. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

export function time(ns: number): string {
  if (ns < 1000) return `${ns.toFixed(0)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(2)} us`;
  return ns < 1e9 ? `${(ns / 1e6).toFixed(2)} ms` : `${(ns / 1e9).toFixed(2)} s`;
}

export function ratio(value: number): string {
  return value < 10 ? `${value.toFixed(2)}x` : `${value.toFixed(1)}x`;
}

export function mebibytes(kib: number): string {
  return `${(kib / 1024).toFixed(1)} MiB`;
}
