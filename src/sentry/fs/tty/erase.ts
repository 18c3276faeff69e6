// Line editing of the line discipline: ERASE, KILL and WERASE with the echo that each asks for (eraser() of n_tty).

import * as T from '../../../abi/tty/termios.ts';
import { isControl, type TtyOutput } from './output.ts';
import type { Termios } from './termios.ts';

const MASK = 4095;
const BS = 8;
const TAB = 9;
const NL = 10;
const SPACE = 32;

/** The part of the line discipline that is edited. */
interface EditedLine {
  readonly termios: Termios;
  readonly output: TtyOutput;
  readonly buf: Uint8Array;
  head: number;
  readonly canonHead: number;
}

const KIND_ERASE = 0;
const KIND_WERASE = 1;
const KIND_KILL = 2;

/** Letters and digits as Linux's own table has them: Latin-1 letters count. */
function isWordByte(c: number): boolean {
  if ((c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x5f)
    return true;
  return c >= 0xc0 && c !== 0xd7 && c !== 0xf7;
}

export class Eraser {
  private readonly line: EditedLine;
  /** ECHOPRT: between the "\" and the "/" around erased text. */
  private erasing = false;

  constructor(line: EditedLine) {
    this.line = line;
  }

  reset(): void {
    this.erasing = false;
  }

  /** Ends the display of erased text. */
  finish(): void {
    if (!this.erasing) return;
    this.line.output.echoRaw(0x2f);
    this.erasing = false;
  }

  /** Acts on an ERASE, WERASE or KILL character. */
  erase(c: number): void {
    const line = this.line;
    const { lflag, cc } = line.termios;
    if (line.head === line.canonHead) return;
    let kind = KIND_KILL;
    if (c === cc[T.VERASE]) kind = KIND_ERASE;
    else if (c === cc[T.VWERASE]) kind = KIND_WERASE;
    else if ((lflag & T.ECHO) === 0) {
      line.head = line.canonHead;
      return;
    } else if ((lflag & T.ECHOK) === 0 || (lflag & T.ECHOKE) === 0 || (lflag & T.ECHOE) === 0) {
      line.head = line.canonHead;
      this.finish();
      line.output.echo(cc[T.VKILL]!);
      if ((lflag & T.ECHOK) !== 0) line.output.echoRaw(NL);
      return;
    }
    let inWord = false;
    while (line.head !== line.canonHead) {
      let head = line.head;
      let last: number;
      do {
        head--;
        last = line.buf[head & MASK]!;
      } while (line.output.isContinuation(last) && head !== line.canonHead);
      if (line.output.isContinuation(last)) break;
      if (kind === KIND_WERASE) {
        if (isWordByte(last)) inWord = true;
        else if (inWord) break;
      }
      const bytes = line.head - head;
      line.head = head;
      if ((lflag & T.ECHO) !== 0) this.echoErased(kind, last, bytes);
      if (kind === KIND_ERASE) break;
    }
    if (line.head === line.canonHead && (lflag & T.ECHO) !== 0) this.finish();
  }

  /** Shows that one character of `bytes` bytes starting with `c` is gone. */
  private echoErased(kind: number, c: number, bytes: number): void {
    const line = this.line;
    const out = line.output;
    const { lflag, cc } = line.termios;
    if ((lflag & T.ECHOPRT) !== 0) {
      if (!this.erasing) {
        out.echoRaw(0x5c);
        this.erasing = true;
      }
      out.echo(c);
      for (let i = 1; i < bytes; i++) {
        out.echoRaw(line.buf[(line.head + i) & MASK]!);
        out.echoMoveBackColumn();
      }
    } else if (kind === KIND_ERASE && (lflag & T.ECHOE) === 0) {
      out.echo(cc[T.VERASE]!);
    } else if (c === TAB) {
      this.eraseTab();
    } else {
      const shownAsCaret = isControl(c) && (lflag & T.ECHOCTL) !== 0;
      if (shownAsCaret) this.rubOut();
      if (!isControl(c) || shownAsCaret) this.rubOut();
    }
  }

  private rubOut(): void {
    this.line.output.echoRaw(BS);
    this.line.output.echoRaw(SPACE);
    this.line.output.echoRaw(BS);
  }

  /** How far a tab moved depends on the columns since the tab before it, or since the line's start. */
  private eraseTab(): void {
    const line = this.line;
    let columns = 0;
    for (let at = line.head - 1; at >= line.canonHead; at--) {
      const c = line.buf[at & MASK]!;
      if (c === TAB) {
        line.output.echoEraseTab(columns, true);
        return;
      }
      if (isControl(c)) {
        if ((line.termios.lflag & T.ECHOCTL) !== 0) columns += 2;
      } else if (!line.output.isContinuation(c)) {
        columns++;
      }
    }
    line.output.echoEraseTab(columns, false);
  }
}
