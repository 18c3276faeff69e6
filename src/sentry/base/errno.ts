// Results: a number >= 0, or -errno; functions that return objects return `T | number` with the number negative.

/** True when a `T | number` result is an error. */
export function failed<T extends object>(r: T | number): r is number {
  return typeof r === 'number';
}
