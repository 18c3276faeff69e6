// Tests of guests' doings run on both shapes of the stub, wherever the host allows it.

import type { Bases } from './bases.ts';
import { hasFsgsbase } from './features.ts';

export interface StubShape {
  readonly bases: Bases;
  /** For the names of suites. */
  readonly label: string;
  /** Options of a suite: why the host cannot run it. */
  readonly options: { readonly skip: string | false };
}

export const STUB_SHAPES: readonly StubShape[] = [
  {
    bases: 'read',
    label: 'with FSGSBASE',
    options: { skip: hasFsgsbase() ? false : 'no FSGSBASE' },
  },
  { bases: 'known', label: 'without FSGSBASE', options: { skip: false } },
];
