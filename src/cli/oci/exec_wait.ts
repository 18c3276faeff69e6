// The process that stands for a program which exec has started: it hands on signals, ends when the program does and as it did, and
// the program ends with it.

import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { POLLIN } from '../../abi/events/poll.ts';
import { TIOCSCTTY } from '../../abi/ioctl.ts';
import {
  SIGALRM,
  SIGCONT,
  SIGHUP,
  SIGINT,
  SIGQUIT,
  SIGTERM,
  SIGTSTP,
  SIGUSR1,
  SIGUSR2,
  SIGWINCH,
} from '../../abi/signal/signal.ts';
import { SYS_dup2, SYS_ioctl } from '../../abi/syscall.ts';
import { exitBySignal, exitProcess } from '../../host/exit.ts';
import { HostPoller, type HostPollTarget } from '../../host/poller.ts';
import { catchHostSignal, FROM_KERNEL, hostSignalFd, takeHostSignals } from '../../host/signals.ts';
import { hostCall } from '../../host/syscall.ts';
import { ControlClient } from '../../runtime/oci/control_client.ts';

const FORWARDED = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCONT, SIGTSTP, SIGWINCH];
/** What a program has whose container is gone. */
const STATUS_KILLED = 137;

export interface Begun {
  readonly client: ControlClient;
  readonly warnings: readonly string[];
}

/** Starts the program with our descriptors `fds` as its first ones; why not, '' when the container is gone. */
export function beginExec(dir: string, p: Record<string, unknown>, fds: readonly number[]): Begun | string {
  const client = ControlClient.connect(dir);
  if (client === null) return '';
  const answer = client.ask({ method: 'exec', process: p }, fds);
  if (answer === null) return '';
  if (typeof answer.error === 'string') return answer.error;
  return { client, warnings: answer.warnings as string[] };
}

class Messages implements HostPollTarget {
  private readonly client: ControlClient;
  /** Wait status; -1 as long as it runs. */
  status = -1;

  constructor(client: ControlClient) {
    this.client = client;
  }

  /** The program may have ended before anybody waited for it. */
  take(): void {
    for (let m = this.client.next(); m !== null; m = this.client.next())
      if (typeof m.exit === 'number') this.status = m.exit;
  }

  onHostReady(): void {
    const more = this.client.fill();
    this.take();
    if (!more && this.status < 0) this.status = STATUS_KILLED << 8;
  }
}

/** Waits for the end and ends this process as the program did. `lets`: these descriptors are the program's alone from now on. */
export function waitExec({ client }: Begun, lets: readonly number[]): never {
  if (lets.length > 0) {
    const none = openSync('/dev/null', 'r+');
    for (const fd of lets) hostCall(SYS_dup2, none, fd);
    closeSync(none);
  }
  const poller = new HostPoller();
  const messages = new Messages(client);
  const signals: HostPollTarget = {
    onHostReady: () =>
      takeHostSignals(
        (signal, from) =>
          void client.send({ method: 'signal', own: true, signal, key: from === FROM_KERNEL }),
      ),
  };
  poller.add(hostSignalFd(), POLLIN, signals);
  for (const sig of FORWARDED) catchHostSignal(sig);
  poller.add(client.fd, POLLIN, messages);
  messages.take();
  while (messages.status < 0) poller.dispatch(-1);
  const sig = messages.status & 0x7f;
  if (sig !== 0) exitBySignal(sig);
  exitProcess((messages.status >> 8) & 0xff);
}

/** The entry: `exec-wait SYNC`, SYNC being a socket on which `exec` says what to do. */
export function execWait(sync: number): never {
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.alloc(1 << 16);
    const n = readSync(sync, part);
    if (n === 0) process.exit(1);
    parts.push(part.subarray(0, n));
    if (part[n - 1] === 10) break;
  }
  const order = JSON.parse(Buffer.concat(parts).toString()) as {
    dir: string;
    process: Record<string, unknown>;
    fds: number;
  };
  const fds = Array.from({ length: order.fds }, (_, i) => i);
  // `exec` made this process the leader of a session: keys of the terminal cause signals for it.
  if (order.process.terminal === true) hostCall(SYS_ioctl, 0, TIOCSCTTY, 0);
  const begun = beginExec(order.dir, order.process, fds);
  const answer = typeof begun === 'string' ? { error: begun } : { ok: true, warnings: begun.warnings };
  writeSync(sync, `${JSON.stringify(answer)}\n`);
  closeSync(sync);
  if (typeof begun === 'string') process.exit(1);
  return waitExec(begun, fds);
}
