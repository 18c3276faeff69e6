import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostPoller } from '../../host/poller.ts';
import { hostClose, hostSend, hostStreamPair, transfer } from '../../host/socket.ts';
import { kernelMemory } from '../../sentry/base/charge.ts';
import { DnsStream } from './dns_stream.ts';

test('a connection is paid for from its begin to its end, whoever ends it', () => {
  const poller = new HostPoller();
  for (const how of ['we', 'they', 'a question that is too long'] as const) {
    const before = kernelMemory.used;
    const pair = hostStreamPair();
    if (typeof pair === 'number') assert.fail(`${pair}`);
    let isClosed = false;
    const owner = {
      streamQuestion: () => assert.fail('no question'),
      streamClosed: () => {
        isClosed = true;
      },
    };
    const stream = new DnsStream(owner, poller, pair[1]);
    assert.ok(kernelMemory.used - before >= 65536 + 4096, `${kernelMemory.used - before}`);
    if (how === 'we') stream.close();
    else if (how === 'they') hostClose(pair[0]);
    else {
      transfer.u8.set([0xff, 0xff]);
      hostSend(pair[0], 0, 2, 0);
    }
    if (how !== 'we') stream.onHostReady();
    assert.ok(isClosed, how);
    assert.equal(kernelMemory.used, before, how);
    if (how !== 'they') hostClose(pair[0]);
  }
});
