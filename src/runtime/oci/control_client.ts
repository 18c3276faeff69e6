// The other end of a container's control socket. Its calls wait: a command has nothing else to do.

import { closeSync, constants, openSync } from 'node:fs';
import { EINTR } from '../../abi/errno.ts';
import { hostClose } from '../../host/socket.ts';
import { connectUnix, receiveMessage, sendMessage } from '../../host/unix_socket.ts';

export type Answer = Record<string, unknown>;

export class ControlClient {
  readonly fd: number;
  private rest: Uint8Array = new Uint8Array(0);

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** null when nobody listens. */
  static connect(dir: string): ControlClient | null {
    let at: number;
    try {
      at = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch {
      return null;
    }
    // By way of the folder's descriptor: names of sockets are short, and ids may be long.
    const fd = connectUnix(`/proc/self/fd/${at}/control.sock`);
    closeSync(at);
    return fd < 0 ? null : new ControlClient(fd);
  }

  /** Sends a message; false when the container is gone. */
  send(message: Answer, fds: readonly number[] = []): boolean {
    let bytes: Uint8Array = Buffer.from(`${JSON.stringify(message)}\n`);
    let given = fds;
    while (bytes.length > 0) {
      const n = sendMessage(this.fd, bytes, given);
      if (n === -EINTR) continue;
      if (n < 0) return false;
      bytes = bytes.subarray(n);
      given = [];
    }
    return true;
  }

  /** Waits for a message; null when the container is gone. */
  receive(): Answer | null {
    for (;;) {
      const answer = this.next();
      if (answer !== null) return answer;
      if (!this.fill()) return null;
    }
  }

  /** A message that is there already. */
  next(): Answer | null {
    const end = this.rest.indexOf(10);
    if (end < 0) return null;
    const line = Buffer.from(this.rest.subarray(0, end)).toString();
    this.rest = this.rest.subarray(end + 1);
    return JSON.parse(line) as Answer;
  }

  /** Waits for more; false at the end. */
  fill(): boolean {
    const bytes = receiveMessage(this.fd, [], true);
    if (bytes === -EINTR) return true;
    if (typeof bytes === 'number' || bytes.length === 0) return false;
    this.rest = Buffer.concat([this.rest, bytes]);
    return true;
  }

  ask(message: Answer, fds: readonly number[] = []): Answer | null {
    return this.send(message, fds) ? this.receive() : null;
  }

  close(): void {
    hostClose(this.fd);
  }
}
