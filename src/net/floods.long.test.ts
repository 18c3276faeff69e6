// Floods of whole stacks, each alone and all at once, a quarter of a million packets of each: memory stays where it is, a neighbour's stream goes on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOODS, flood } from './floods.test.helper.ts';

const PACKETS = 250_000;
/** Reassembly and connections that are tracked have most of it. */
const MOST_KEPT = 64 << 20;

for (const kinds of [...FLOODS.map((kind) => [kind] as const), FLOODS])
  test(`a quarter of a million packets: ${kinds.join(', ')}`, (t) => {
    const { mostKept, streamed } = flood(11, kinds, PACKETS, MOST_KEPT);
    assert.ok(streamed > PACKETS * 20, `${streamed} bytes of the neighbour's stream`);
    t.diagnostic(`${mostKept} bytes kept at most, ${streamed} bytes streamed`);
  });
