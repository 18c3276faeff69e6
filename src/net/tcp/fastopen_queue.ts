// FastOpenQueue: how many connections of one listener may have begun with data before their client has shown that it is there
// (RFC 7413, section 5.1).

/** A connection that was reset before its handshake was over keeps its place so long: an attacker resets what it forged. */
const RESET_NS = 60e9;

/** Connections of one listener whose handshake is not over, and those that were reset before it was. */
export class FastOpenQueue {
  open = 0;
  /** Until when each reset one keeps its place: the oldest first, no more than the option allows. */
  private readonly resets: number[] = [];

  /** Is there room for one more of `most`? */
  hasRoom(most: number, nowNs: number): boolean {
    while (this.resets.length > 0 && this.resets[0]! <= nowNs) this.resets.shift();
    return this.open + this.resets.length < most;
  }

  /** One's handshake is over, or the connection is. */
  leave(reset: boolean, nowNs: number): void {
    this.open--;
    if (reset) this.resets.push(nowNs + RESET_NS);
  }
}
