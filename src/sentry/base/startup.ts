// Marks of the start-up: which step ended when, for VEDETTE_STARTUP_TIMES. The launcher holds the list and writes it at exit.

type Marks = [step: string, at: [number, number]][];

const marks = (globalThis as Record<symbol, unknown>)[Symbol.for('vedette.startup')] as Marks | undefined;

/** `step` ends now. */
export function mark(step: string): void {
  if (marks !== undefined) marks.push([step, process.hrtime()]);
}
