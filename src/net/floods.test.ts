// A little of each flood (floods.long.test.ts has more of them).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOODS, flood } from './floods.test.helper.ts';

for (const kind of FLOODS)
  test(`a flood: ${kind}`, () => {
    const { streamed } = flood(7, [kind], 10_000, 32 << 20);
    assert.ok(streamed > 500_000, `${streamed} bytes of the neighbour's stream`);
  });
