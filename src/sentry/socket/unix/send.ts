// Steps that the sends of datagram and seqpacket sockets share.

import { EOPNOTSUPP } from '../../../abi/errno.ts';
import { MSG_OOB } from '../../../abi/net/socket.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message } from '../message.ts';
import type { UnixNamespace } from './namespace.ts';
import type { Packet, PacketQueue } from './packets.ts';
import { parseControl, Scm } from './scm.ts';
import type { UnixSocket } from './unix.ts';

/** 0, or -EOPNOTSUPP for out-of-band data. */
export function checkSend(flags: number): number {
  return (flags & MSG_OOB) !== 0 ? -EOPNOTSUPP : 0;
}

/** Control messages of a send, with the sender's credentials when either side asked for them; null for nothing. */
export function parseForSend(
  ctx: VfsContext,
  msg: Message,
  from: UnixSocket,
  to: UnixSocket,
): Scm | null | number {
  let scm: Scm | null = null;
  if (msg.controlLen > 0) {
    const parsed = parseControl(ctx, msg);
    if (typeof parsed === 'number') return parsed;
    scm = parsed;
  }
  if (from.passcred || to.passcred) (scm ??= new Scm()).setSender(ctx);
  return scm;
}

/** Queues a packet that was made, or ends the failed send: bytes sent or -errno. */
export function finishSend(
  ctx: VfsContext,
  ns: UnixNamespace,
  made: Packet | number,
  scm: Scm | null,
  queue: PacketQueue,
  to: UnixSocket,
  events: number,
): number {
  if (typeof made === 'number') {
    scm?.discard();
    return made;
  }
  const r = scm === null ? 0 : scm.enterFlight(ctx, ns);
  if (r < 0) {
    scm!.discard();
    return r;
  }
  queue.push(made);
  to.waiters.wake(events);
  return made.data.length;
}
