// A send takes its bytes before the host's socket has said how many it takes: the rest goes back.

import type { ByteSource } from '../../../net/endpoint.ts';

/** Every Io is one (base/io.ts): its cursor goes back by bytes that it just moved. */
interface Rewindable extends ByteSource {
  rewind(n: number): void;
}

export function rewind(from: ByteSource, n: number): void {
  (from as Rewindable).rewind(n);
}
