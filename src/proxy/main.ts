// The process: descriptor 3 has the messages, 4 brings descriptors. It ends with the other side of 3.

import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { F_SETFL, O_NONBLOCK } from '../abi/fs/fcntl.ts';
import { SYS_fcntl } from '../abi/syscall.ts';
import { receiveFd } from '../host/fd_passing.ts';
import { hostCall } from '../host/syscall.ts';
import { hideMemory, lockDown } from './lockdown.ts';
import { CONTROL_FD, DESCRIPTORS_FD, frame, type Outgoing, readMessage, Unframer } from './messages.ts';
import { SandboxProxy } from './sandbox_proxy.ts';
import { trustedAuthorities } from './trust.ts';

/** Bytes of messages that wait for a reader. Beyond, decisions are counted, not kept. */
const MOST_WAITING = 4 << 20;
const TICK_MS = 1000;

hideMemory();
// What the environment has is not wanted here; the configuration comes in a message.
for (const name of Object.keys(process.env)) delete process.env[name];
hostCall(SYS_fcntl, DESCRIPTORS_FD, F_SETFL, O_NONBLOCK);

const control = new Socket({ fd: CONTROL_FD, readable: true, writable: true });
const unframer = new Unframer();
let proxy: SandboxProxy | null = null;

function send(message: Outgoing): void {
  const optional = message.type === 'decision' || message.type === 'fault';
  if (optional && control.writableLength > MOST_WAITING) {
    if (proxy !== null) proxy.counters.logDropped++;
    return;
  }
  control.write(frame(message));
}

/** Errors are told by their kind and place; their words may quote what they are about. */
function fault(error: unknown): void {
  const { name = 'error', code = '', stack = '' } = (error ?? {}) as NodeJS.ErrnoException;
  const at = /\n\s+at .*/.exec(stack)?.[0]?.trim() ?? '';
  send({ type: 'fault', what: `${name} ${code} ${at}`.slice(0, 300) });
}
// One connection's fault is not the others' end.
process.on('uncaughtException', fault);
process.on('unhandledRejection', fault);

/** A protocol fault of the other side, which is one of ours: there is nothing to go on with. */
function stop(why: string): never {
  process.stderr.write(`vedette proxy: ${why}\n`);
  process.exit(1);
}

function receive(text: string): void {
  const m = readMessage(text);
  if (m === null) stop('a message that is not understood');
  if (m.type === 'configure') {
    if (proxy !== null) stop('configured twice');
    try {
      const trust = createSecureContext({ ca: trustedAuthorities(m.trust) });
      proxy = new SandboxProxy(m, trust, send);
      lockDown();
    } catch (error) {
      fault(error);
      stop('the configuration cannot be used');
    }
    setInterval(() => proxy!.tick(Date.now()), TICK_MS);
    send({ type: 'ready', ca: proxy.caPem });
    return;
  }
  if (proxy === null) stop('not configured');
  if (m.type === 'counters') {
    send({ type: 'counters', ...proxy.counters });
    return;
  }
  const guest = receiveFd(DESCRIPTORS_FD);
  const server = guest < 0 ? guest : receiveFd(DESCRIPTORS_FD);
  if (server < 0) {
    // A receiver at its limit of descriptors loses them (unix(7)); order is lost with them.
    if (guest >= 0) closeSync(guest);
    stop(`a connection without its descriptors (${server})`);
  }
  proxy.open(m, guest, server);
}

control.on('data', (chunk: Buffer) => {
  const messages = unframer.push(chunk);
  if (messages === null) stop('a message that is too large');
  for (const text of messages) receive(text);
});
control.on('close', () => process.exit(0));
control.on('error', () => process.exit(0));
