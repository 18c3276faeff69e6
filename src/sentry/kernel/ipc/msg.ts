// System V message queues: msgsnd(2), msgrcv(2).

import { MSG_EXCEPT, MSGMNB } from '../../../abi/ipc/ipc.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Cred } from '../../base/cred.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { Parked } from '../block.ts';
import { IpcObject } from './object.ts';

/** A message without its text. */
export const MESSAGE_BYTES = 256;

export class Message {
  /** Signed 64-bit mtype, as a number: exact within 2^53. */
  readonly type: number;
  readonly text: Uint8Array;
  private readonly payer: Account;
  constructor(type: number, text: Uint8Array) {
    this.type = type;
    this.text = text;
    this.payer = kernelMemory.take(MESSAGE_BYTES + text.length);
  }

  /** It was received, or its queue is gone. */
  drop(): void {
    kernelMemory.give(this.payer, MESSAGE_BYTES + this.text.length);
  }
}

export class MessageQueue extends IpcObject implements Parked {
  readonly messages: Message[] = [];
  cbytes = 0;
  qbytes = MSGMNB;
  stimeSec = 0;
  rtimeSec = 0;
  ctimeSec: number;
  lspid = 0;
  lrpid = 0;
  readonly senders: WaitQueue = new WaitQueue();
  readonly receivers: WaitQueue = new WaitQueue();

  constructor(key: number, mode: number, cred: Cred, nowSec: number) {
    super(key, mode, cred);
    this.ctimeSec = nowSec;
  }

  /** Parked: who waits here holds nothing. */
  abandon(): void {}

  /** True when a message of `size` bytes fits now. */
  fits(size: number): boolean {
    return this.cbytes + size <= this.qbytes && this.messages.length + 1 <= this.qbytes;
  }

  /** Index of the message that msgrcv(2) with this type takes; -1 when there is none. */
  select(type: number, flags: number): number {
    const list = this.messages;
    if (type === 0) return list.length === 0 ? -1 : 0;
    if (type > 0) {
      const except = (flags & MSG_EXCEPT) !== 0;
      return list.findIndex((m) => (m.type === type) !== except);
    }
    let best = -1;
    for (let i = 0; i < list.length; i++) {
      const m = list[i]!;
      if (m.type <= -type && (best < 0 || m.type < list[best]!.type)) best = i;
    }
    return best;
  }

  override payBack(): void {
    super.payBack();
    for (const m of this.messages) m.drop();
    this.messages.length = 0;
  }

  put(m: Message): void {
    this.messages.push(m);
    this.cbytes += m.text.length;
    this.receivers.wake(1);
  }

  take(index: number): Message {
    const m = this.messages.splice(index, 1)[0]!;
    this.cbytes -= m.text.length;
    m.drop();
    this.senders.wake(1);
    return m;
  }
}
