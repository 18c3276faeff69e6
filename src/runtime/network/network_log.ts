// What was decided about the network, one line of JSON each: --network-log.

import { closeSync, openSync, writeSync } from 'node:fs';
import { log } from '../../sentry/base/log.ts';

/** A guest can have as many decisions made as it likes: the file ends somewhere. */
const MOST_BYTES = 256 * 2 ** 20;

export interface Decision {
  readonly event: 'dns' | 'answer' | 'connect' | 'listen' | 'accept' | 'request';
  readonly allowed: boolean;
  /** The rule, or why there is none. */
  readonly rule: string;
  readonly protocol?: string;
  readonly name?: string;
  readonly names?: readonly string[];
  readonly type?: number;
  readonly address?: string;
  readonly port?: number;
  /** Of requests. */
  readonly method?: string;
  readonly path?: string;
  /** Names of those that went out. */
  readonly secrets?: readonly string[];
}

export class NetworkLog {
  private fd: number;
  private left = MOST_BYTES;

  /** Throws what the host says of the file. */
  constructor(file: string | null) {
    this.fd = file === null ? -1 : openSync(file, 'a', 0o600);
  }

  write(decision: Decision): void {
    if (this.fd < 0) return;
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...decision })}\n`;
    this.left -= line.length;
    try {
      if (this.left >= 0) writeSync(this.fd, line);
      else {
        writeSync(this.fd, `${JSON.stringify({ time: new Date().toISOString(), event: 'full' })}\n`);
        this.close();
      }
    } catch (error) {
      log(`--network-log: ${(error as Error).message}`);
      this.close();
    }
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}
