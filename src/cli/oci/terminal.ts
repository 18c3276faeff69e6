// The terminal of a program that runs in the foreground: what is typed here goes to it, what it writes comes here.

import { ReadStream, WriteStream } from 'node:tty';
import { setWindowSize } from '../../host/pty.ts';

/** Connects this process's standard streams with the master of a terminal, until it is ended. */
export class Relay {
  private readonly master: number;
  private readonly from: ReadStream;
  private readonly to: WriteStream;
  private readonly drained: Promise<void>;

  constructor(master: number) {
    this.master = master;
    this.from = new ReadStream(master);
    this.to = new WriteStream(master);
    // Both ends: there is nobody at the slave any more (EIO).
    this.drained = new Promise((done) => {
      this.from.on('error', () => done());
      this.from.on('end', () => done());
    });
    this.to.on('error', () => {});
    this.from.on('data', (bytes: Buffer) => void process.stdout.write(bytes));
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    process.stdin.on('data', (bytes: Buffer) => void this.to.write(bytes));
    process.stdin.on('error', () => {});
    this.resize();
    process.on('SIGWINCH', () => this.resize());
  }

  private resize(): void {
    const { columns, rows } = process.stdout;
    if (process.stdout.isTTY) setWindowSize(this.master, rows, columns);
  }

  /** The program has ended: what it wrote comes first. */
  async end(): Promise<void> {
    await this.drained;
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.destroy();
    this.from.destroy();
    this.to.destroy();
  }
}
