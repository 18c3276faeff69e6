// The N_TTY line discipline, input half: termios(3). Bytes of the terminal (what a person types) become lines, signals,
// edits and echo. Names of steps follow Linux drivers/tty/n_tty.c, whose observable behaviour this is.
//
//   receive() -> incoming -> processByte() -> buf[tail..canonHead..head) -> read()
//
// buf is a ring of 4096 bytes under counters that only grow: [tail, canonHead) are finished lines, [canonHead, head)
// the line being edited. mark[i] = 1 where a line ends; an end by EOF is a marked NUL that read() does not return.

import { SIGINT, SIGQUIT, SIGTSTP } from '../../../abi/signal/signal.ts';
import * as T from '../../../abi/tty/termios.ts';
import { ByteQueue } from './byte_queue.ts';
import { Eraser } from './erase.ts';
import { isUpper, type TtyOutput } from './output.ts';
import type { Termios } from './termios.ts';

export const N_TTY_BUF_SIZE = 4096;
const MASK = N_TTY_BUF_SIZE - 1;
/** Raw input that waits for room in the ring. */
const INCOMING_LIMIT = 8192;
const DISABLED_CHAR = 0;
const NL = 10;
const CR = 13;

/** What the discipline asks of its terminal. */
export interface LdiscHost {
  /** A signal character: the signal goes to the foreground process group. */
  ttySignal(sig: number): void;
  /** Input and output queues are to be flushed because of a signal character. */
  ttyFlushed(): void;
  /** Start or stop of output by IXON. */
  ttyFlow(stopped: boolean): void;
}

export class LineDiscipline {
  readonly termios: Termios;
  readonly output: TtyOutput;
  readonly buf: Uint8Array = new Uint8Array(N_TTY_BUF_SIZE);
  private readonly mark: Uint8Array = new Uint8Array(N_TTY_BUF_SIZE);
  head = 0;
  canonHead = 0;
  tail = 0;
  /** Stopped by TCXONC, which only TCXONC undoes. */
  tcoStopped = false;
  /** The next byte is literal (VLNEXT). */
  private lnext = false;
  private readonly incoming: ByteQueue = new ByteQueue(INCOMING_LIMIT);
  private readonly host: LdiscHost;
  private readonly eraser: Eraser;
  private readonly one: Uint8Array = new Uint8Array(1);

  constructor(termios: Termios, output: TtyOutput, host: LdiscHost) {
    this.termios = termios;
    this.output = output;
    this.host = host;
    this.eraser = new Eraser(this);
  }

  private lflag(bit: number): boolean {
    return (this.termios.lflag & bit) !== 0;
  }

  private iflag(bit: number): boolean {
    return (this.termios.iflag & bit) !== 0;
  }

  private get canonical(): boolean {
    return (this.termios.lflag & T.ICANON) !== 0;
  }

  /** Bytes that receive() would take. */
  get room(): number {
    return this.incoming.room;
  }

  /** Takes input from the terminal's other side; returns how many bytes of src[off..off+len] found room. */
  receive(src: Uint8Array, off: number, len: number): number {
    let taken = 0;
    for (;;) {
      const n = this.incoming.write(src, off + taken, len - taken);
      taken += n;
      this.drain();
      if (taken === len || n === 0) return taken;
    }
  }

  /** Processes waiting input as far as the ring has room. */
  private drain(): void {
    while (this.incoming.length > 0 && this.makeRoom()) {
      this.incoming.read(this.one, 0, 1);
      this.processByte(this.one[0]!);
    }
    this.output.flushEchoes();
  }

  /** True when one more byte may be processed. A line that fills the ring loses its last byte to the next. */
  private makeRoom(): boolean {
    let room = N_TTY_BUF_SIZE - (this.head - this.tail);
    if (this.iflag(T.PARMRK)) room = Math.ceil(room / 3);
    if (--room > 0) return true;
    const overflow = this.canonical && this.canonHead === this.tail;
    if (overflow && room < 0) this.head--;
    return overflow;
  }

  private store(c: number): void {
    const at = this.head & MASK;
    this.buf[at] = c;
    this.mark[at] = 0;
    this.head++;
  }

  private processByte(byte: number): void {
    let c = byte;
    if (this.iflag(T.ISTRIP)) c &= 0x7f;
    if (this.iflag(T.IUCLC) && this.lflag(T.IEXTEN) && isUpper(c)) c += 32;
    if (this.lnext) {
      this.lnext = false;
      this.ordinary(c);
      return;
    }
    if (this.lflag(T.EXTPROC)) {
      this.store(c);
      return;
    }
    if (c !== DISABLED_CHAR) {
      if (this.iflag(T.IXON) && this.flowChar(c)) return;
      if (this.lflag(T.ISIG) && this.signalChar(c)) return;
    }
    if (this.output.stopped && !this.tcoStopped && this.iflag(T.IXON) && this.iflag(T.IXANY)) this.start();
    if (c === CR) {
      if (this.iflag(T.IGNCR)) return;
      if (this.iflag(T.ICRNL)) c = NL;
    } else if (c === NL && this.iflag(T.INLCR)) {
      c = CR;
    }
    if (this.canonical && this.canonChar(c)) return;
    // In raw mode a newline made of a carriage return is echoed as one; a real one shows as ^J.
    if (c === NL && byte === CR && this.lflag(T.ECHO)) {
      this.eraser.finish();
      this.output.echoRaw(NL);
      this.put(c);
      return;
    }
    this.ordinary(c);
  }

  /** A character without meaning: echo and store. */
  private ordinary(c: number): void {
    if (this.lflag(T.ECHO)) {
      this.eraser.finish();
      this.echoChar(c);
    }
    this.put(c);
  }

  private echoChar(c: number): void {
    if (this.canonHead === this.head) this.output.echoSetCanonColumn();
    this.output.echo(c);
  }

  private put(c: number): void {
    if (c === 0xff && this.iflag(T.PARMRK)) this.store(c);
    this.store(c);
  }

  private flowChar(c: number): boolean {
    const cc = this.termios.cc;
    if (c === cc[T.VSTART]) {
      if (!this.tcoStopped) this.start();
      this.output.flushEchoes();
      return true;
    }
    if (c !== cc[T.VSTOP]) return false;
    this.stop();
    return true;
  }

  /** Stops output. */
  stop(): void {
    if (this.output.stopped) return;
    this.output.stopped = true;
    this.host.ttyFlow(true);
  }

  /** Lets output go on. */
  start(): void {
    if (!this.output.stopped) return;
    this.output.stopped = false;
    this.output.flushEchoes();
    this.host.ttyFlow(false);
  }

  private signalChar(c: number): boolean {
    const cc = this.termios.cc;
    let sig = 0;
    if (c === cc[T.VINTR]) sig = SIGINT;
    else if (c === cc[T.VQUIT]) sig = SIGQUIT;
    else if (c === cc[T.VSUSP]) sig = SIGTSTP;
    else return false;
    this.host.ttySignal(sig);
    if (!this.lflag(T.NOFLSH)) {
      this.output.dropEchoes();
      this.flushInput();
      this.host.ttyFlushed();
    }
    if (this.iflag(T.IXON) && !this.tcoStopped) this.start();
    if (this.lflag(T.ECHO)) this.output.echo(c);
    else this.output.flushEchoes();
    return true;
  }

  /** Characters that edit or end lines; true when `c` was one. */
  private canonChar(c: number): boolean {
    const cc = this.termios.cc;
    const extended = this.lflag(T.IEXTEN);
    if (c === NL) {
      if (this.lflag(T.ECHO) || this.lflag(T.ECHONL)) this.output.echoRaw(NL);
      this.endLine(NL);
      return true;
    }
    if (c === DISABLED_CHAR) return false;
    if (c === cc[T.VERASE] || c === cc[T.VKILL] || (c === cc[T.VWERASE] && extended)) {
      this.eraser.erase(c);
      return true;
    }
    if (c === cc[T.VLNEXT] && extended) {
      this.lnext = true;
      if (this.lflag(T.ECHO)) {
        this.eraser.finish();
        if (this.lflag(T.ECHOCTL)) {
          this.output.echoRaw(0x5e);
          this.output.echoRaw(8);
        }
      }
      return true;
    }
    if (c === cc[T.VREPRINT] && extended && this.lflag(T.ECHO)) {
      this.eraser.finish();
      this.output.echo(c);
      this.output.echoRaw(NL);
      for (let at = this.canonHead; at < this.head; at++) this.output.echo(this.buf[at & MASK]!);
      return true;
    }
    if (c === cc[T.VEOF]) {
      this.endLine(DISABLED_CHAR);
      return true;
    }
    if (c === cc[T.VEOL] || (c === cc[T.VEOL2] && extended)) {
      if (this.lflag(T.ECHO)) this.echoChar(c);
      if (c === 0xff && this.iflag(T.PARMRK)) this.store(c);
      this.endLine(c);
      return true;
    }
    return false;
  }

  private endLine(c: number): void {
    const at = this.head & MASK;
    this.store(c);
    this.mark[at] = 1;
    this.canonHead = this.head;
  }

  /** Bytes a read could get at once: FIONREAD. In canonical mode, those of finished lines without their EOF marks. */
  get available(): number {
    if (!this.canonical || this.lflag(T.EXTPROC)) return this.head - this.tail;
    let n = this.canonHead - this.tail;
    for (let at = this.tail; at < this.canonHead; at++) {
      const i = at & MASK;
      if (this.mark[i] === 1 && this.buf[i] === DISABLED_CHAR) n--;
    }
    return n;
  }

  /** True when read() has something to say: a finished line, or at least `min` bytes in raw mode. */
  readable(min: number): boolean {
    if (this.canonical && !this.lflag(T.EXTPROC)) return this.canonHead !== this.tail;
    return this.head - this.tail >= min;
  }

  /** Moves at most `len` bytes, in canonical mode of at most one line, to dst[off..]; 0 also for an EOF mark. */
  read(dst: Uint8Array, off: number, len: number): number {
    const n =
      this.canonical && !this.lflag(T.EXTPROC) ? this.readLine(dst, off, len) : this.readRaw(dst, off, len);
    this.drain();
    return n;
  }

  private readLine(dst: Uint8Array, off: number, len: number): number {
    let n = 0;
    while (this.tail < this.canonHead) {
      const i = this.tail & MASK;
      if (this.mark[i] === 1 && this.buf[i] === DISABLED_CHAR) {
        // An EOF right after the last byte that fitted belongs to this read.
        this.tail++;
        break;
      }
      if (n === len) break;
      dst[off + n++] = this.buf[i]!;
      this.tail++;
      if (this.mark[i] === 1) break;
    }
    return n;
  }

  private readRaw(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.head - this.tail);
    for (let i = 0; i < n; i++) dst[off + i] = this.buf[(this.tail + i) & MASK]!;
    this.tail += n;
    if (this.canonHead < this.tail) this.canonHead = this.tail;
    return n;
  }

  /** TCIFLUSH: forgets all input in the ring. What waits for room in it comes next, as on Linux. */
  flushInput(): void {
    this.tail = this.canonHead = this.head;
    this.eraser.reset();
  }

  /** The attributes changed from `oldLflag`, `oldIflag` to what termios has now. */
  termiosChanged(oldIflag: number, oldLflag: number): void {
    if (((oldLflag ^ this.termios.lflag) & (T.ICANON | T.EXTPROC)) !== 0) {
      this.mark.fill(0);
      this.canonHead = this.head;
      // What was typed so far counts as one finished line, of however many bytes.
      if (this.head > this.tail) this.mark[(this.head - 1) & MASK] = 1;
      this.eraser.reset();
      this.lnext = false;
    }
    if ((oldIflag & T.IXON) !== 0 && !this.iflag(T.IXON) && !this.tcoStopped) this.start();
    this.drain();
  }
}
