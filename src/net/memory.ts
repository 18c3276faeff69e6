// What the stack's collections cost, told to whoever keeps the books: everything that a peer or a guest can make grow is
// asked for first and given back at its end.

/** An account book. The kernel's charges its users (sentry/base/charge.ts); tests may count. */
export interface NetMemory {
  /** May `bytes` more be kept? Asked before anything changes. */
  fits(bytes: number): boolean;
  take(bytes: number): void;
  give(bytes: number): void;
}

/** Keeps no books: for stacks on their own. */
export const UNLIMITED: NetMemory = {
  fits: () => true,
  take: () => {},
  give: () => {},
};
