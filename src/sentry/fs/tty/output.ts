// The output half of the line discipline: OPOST processing with column tracking, and the echo of input, which waits in
// its own list while output is stopped or full. termios(3); Linux drivers/tty/n_tty.c defines the details.

import {
  ECHOCTL,
  IUTF8,
  OCRNL,
  OLCUC,
  ONLCR,
  ONLRET,
  ONOCR,
  OPOST,
  TABDLY,
  XTABS,
} from '../../../abi/tty/termios.ts';
import type { ByteQueue } from './byte_queue.ts';
import type { Termios } from './termios.ts';

const BS = 8;
const TAB = 9;
const NL = 10;
const CR = 13;
const SPACE = 32;

/** Echo operations: 0-255 is that byte, and: */
const ECHO_CTRL = 0x100;
const ECHO_TAB = 0x200;
const ECHO_MOVE_BACK_COL = 0x300;
const ECHO_SET_CANON_COL = 0x301;
/** In an ECHO_TAB operation: columns are counted from a tab, not from the start of the line. */
const AFTER_TAB = 0x80;
const MAX_ECHOES = 4096;
/** The byte that Linux uses as a mark in its echo buffer: its echo passes by OPOST. */
const UNPROCESSED = 0xff;

/** Control characters as the C locale has them. */
export function isControl(c: number): boolean {
  return c < SPACE || c === 127;
}

/** Upper-case letters of Latin-1, as the kernel's own tables have them. */
export function isUpper(c: number): boolean {
  return (c >= 0x41 && c <= 0x5a) || (c >= 0xc0 && c <= 0xde && c !== 0xd7);
}

function isLower(c: number): boolean {
  return (c >= 0x61 && c <= 0x7a) || (c >= 0xdf && c !== 0xf7);
}

export class TtyOutput {
  readonly termios: Termios;
  /** Processed output on its way to whoever reads the other side. */
  readonly queue: ByteQueue;
  column = 0;
  /** Column at which the input line under way starts. */
  canonColumn = 0;
  /** ^S or TCOOFF: nothing leaves. */
  stopped = false;
  private readonly echoes: number[] = [];

  constructor(termios: Termios, queue: ByteQueue) {
    this.termios = termios;
    this.queue = queue;
  }

  /** True for the second and later bytes of a UTF-8 sequence under IUTF8. */
  isContinuation(c: number): boolean {
    return (this.termios.iflag & IUTF8) !== 0 && (c & 0xc0) === 0x80;
  }

  /** Writes bytes of the program; returns how many of src[off..off+len] were taken: 0 when stopped or full. */
  write(src: Uint8Array, off: number, len: number): number {
    this.flushEchoes();
    if (this.stopped) return 0;
    if ((this.termios.oflag & OPOST) === 0) return this.queue.write(src, off, len);
    for (let i = 0; i < len; i++) if (!this.putProcessed(src[off + i]!)) return i;
    return len;
  }

  /** do_output_char: one byte through OPOST; false when the queue has no room for all of it. */
  private putProcessed(c: number): boolean {
    const oflag = this.termios.oflag;
    let out = c;
    switch (c) {
      case NL:
        if ((oflag & ONLRET) !== 0) this.column = 0;
        if ((oflag & ONLCR) !== 0) {
          if (this.queue.room < 2) return false;
          this.canonColumn = this.column = 0;
          this.queue.push(CR);
          return this.queue.push(NL);
        }
        this.canonColumn = this.column;
        break;
      case CR:
        if ((oflag & ONOCR) !== 0 && this.column === 0) return true;
        if ((oflag & OCRNL) !== 0) {
          out = NL;
          if ((oflag & ONLRET) !== 0) this.canonColumn = this.column = 0;
        } else {
          this.canonColumn = this.column = 0;
        }
        break;
      case TAB: {
        const spaces = 8 - (this.column & 7);
        if ((oflag & TABDLY) === XTABS) {
          if (this.queue.room < spaces) return false;
          this.column += spaces;
          for (let i = 0; i < spaces; i++) this.queue.push(SPACE);
          return true;
        }
        if (this.queue.room < 1) return false;
        this.column += spaces;
        break;
      }
      case BS:
        if (this.column > 0) this.column--;
        break;
      default:
        if (!isControl(c)) {
          if ((oflag & OLCUC) !== 0 && isLower(c)) out = c - 32;
          if (this.queue.room >= 1 && !this.isContinuation(c)) this.column++;
        }
    }
    return this.queue.push(out);
  }

  /** Queues the echo of an input character: "^X" for control characters under ECHOCTL. */
  echo(c: number): void {
    const ctrl = (this.termios.lflag & ECHOCTL) !== 0 && isControl(c) && c !== TAB;
    this.addEcho(ctrl ? ECHO_CTRL | c : c);
  }

  /** Queues a byte as it is. */
  echoRaw(c: number): void {
    this.addEcho(c);
  }

  /** Queues the erasure of a tab that follows `columns` columns after a tab or after the start of the line. */
  echoEraseTab(columns: number, afterTab: boolean): void {
    this.addEcho(ECHO_TAB | (columns & 7) | (afterTab ? AFTER_TAB : 0));
  }

  echoMoveBackColumn(): void {
    this.addEcho(ECHO_MOVE_BACK_COL);
  }

  /** Remembers the present column as the start of the input line. */
  echoSetCanonColumn(): void {
    this.addEcho(ECHO_SET_CANON_COL);
  }

  private addEcho(op: number): void {
    if (this.echoes.length >= MAX_ECHOES) this.echoes.shift();
    this.echoes.push(op);
  }

  /** Sends waiting echoes as far as there is room. */
  flushEchoes(): void {
    if (this.stopped || this.echoes.length === 0) return;
    let done = 0;
    while (done < this.echoes.length && this.sendEcho(this.echoes[done]!)) done++;
    this.echoes.splice(0, done);
  }

  private sendEcho(op: number): boolean {
    if (op === UNPROCESSED) {
      if (!this.queue.push(op)) return false;
      this.column++;
      return true;
    }
    if (op < ECHO_CTRL) {
      return (this.termios.oflag & OPOST) !== 0 ? this.putProcessed(op) : this.queue.push(op);
    }
    if (op < ECHO_TAB) {
      if (this.queue.room < 2) return false;
      this.queue.push(0x5e);
      this.queue.push((op & 0xff) ^ 0x40);
      this.column += 2;
      return true;
    }
    if (op < ECHO_MOVE_BACK_COL) {
      let columns = op & 0x7f;
      if ((op & AFTER_TAB) === 0) columns += this.canonColumn;
      const count = 8 - (columns & 7);
      if (this.queue.room < count) return false;
      for (let i = 0; i < count; i++) {
        this.queue.push(BS);
        if (this.column > 0) this.column--;
      }
      return true;
    }
    if (op === ECHO_MOVE_BACK_COL) {
      if (this.column > 0) this.column--;
    } else {
      this.canonColumn = this.column;
    }
    return true;
  }

  /** Forgets waiting echoes (a signal character flushes). */
  dropEchoes(): void {
    this.echoes.length = 0;
  }
}
