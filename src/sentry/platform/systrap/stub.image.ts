// The stub program as it is started, and what its users need to know of it.

import type { Bases } from './bases.ts';
import { buildStub, type StubImage } from './stub.ts';

export { PATCHED_FLAGS } from './patched_entry.ts';
export { RUN_MASK_HIGH, RUN_MASK_LOW, SIG_KICK, type StubImage } from './stub.ts';

export const STUBS: Readonly<Record<Bases, StubImage>> = {
  read: buildStub('read'),
  known: buildStub('known'),
};
