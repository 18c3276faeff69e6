// Terminal attributes: termios(3), ioctl_tty(2), <asm/termbits.h>. One Termios object per terminal; the layouts below
// are what user space sees.
//
//   struct termio   (18 bytes): u16 iflag, oflag, cflag, lflag; u8 line; u8 cc[8]; pad
//   struct termios  (36 bytes): u32 iflag, oflag, cflag, lflag; u8 line; u8 cc[19]
//   struct termios2 (44 bytes): struct termios; u32 ispeed, ospeed

import * as T from '../../../abi/tty/termios.ts';

export const TERMIO_SIZE = 18;
export const TERMIOS_SIZE = 36;
export const TERMIOS2_SIZE = 44;

const OFF_IFLAG = 0;
const OFF_OFLAG = 4;
const OFF_CFLAG = 8;
const OFF_LFLAG = 12;
const OFF_LINE = 16;
const OFF_CC = 17;
const OFF_ISPEED = 36;
const OFF_OSPEED = 40;

/** CBAUD codes 0-15 and 0x1001-0x100f (as 16-30) to bits per second. */
const SPEEDS: readonly number[] = [
  0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400,
  460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
];

/** INIT_C_CC: ^C ^\ DEL ^U ^D, TIME 0, MIN 1, no SWTC, ^Q ^S ^Z, no EOL, ^R ^O ^W ^V, no EOL2. */
const INIT_C_CC: readonly number[] = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];

export class Termios {
  iflag = 0;
  oflag = 0;
  cflag = 0;
  lflag = 0;
  /** Line discipline; N_TTY is the only one. */
  line = 0;
  readonly cc: Uint8Array = new Uint8Array(T.NCCS);
  /** Bits per second. */
  ispeed = 38400;
  ospeed = 38400;

  copyFrom(o: Termios): void {
    this.iflag = o.iflag;
    this.oflag = o.oflag;
    this.cflag = o.cflag;
    this.lflag = o.lflag;
    this.line = o.line;
    this.cc.set(o.cc);
    this.ispeed = o.ispeed;
    this.ospeed = o.ospeed;
  }
}

/** tty_std_termios: what a new terminal starts with. */
export function standardTermios(): Termios {
  const t = new Termios();
  t.iflag = T.ICRNL | T.IXON;
  t.oflag = T.OPOST | T.ONLCR;
  t.cflag = T.B38400 | T.CS8 | T.CREAD | T.HUPCL;
  t.lflag = T.ISIG | T.ICANON | T.ECHO | T.ECHOE | T.ECHOK | T.ECHOCTL | T.ECHOKE | T.IEXTEN;
  t.cc.set(INIT_C_CC);
  return t;
}

/** A pseudo-terminal's slave: the standard settings, without hang-up on close. */
export function slaveTermios(): Termios {
  const t = standardTermios();
  t.cflag = T.B38400 | T.CS8 | T.CREAD;
  return t;
}

function speedOf(cbaud: number, given: number): number {
  if ((cbaud & T.CBAUD) === T.BOTHER) return given;
  const index = (cbaud & 0xf) + ((cbaud & T.CBAUDEX) !== 0 ? 15 : 0);
  return SPEEDS[index] ?? 38400;
}

/** Derives the numeric speeds from cflag, as tty_termios_baud_rate does. */
function deriveSpeeds(t: Termios, ispeed: number, ospeed: number): void {
  t.ospeed = speedOf(t.cflag, ospeed);
  const input = (t.cflag >>> T.IBSHIFT) & T.CBAUD;
  t.ispeed = input === T.B0 ? t.ospeed : speedOf(input, ispeed);
}

/** Writes struct termios at v[0..36). */
export function putTermios(v: DataView, t: Termios): void {
  v.setUint32(OFF_IFLAG, t.iflag >>> 0, true);
  v.setUint32(OFF_OFLAG, t.oflag >>> 0, true);
  v.setUint32(OFF_CFLAG, t.cflag >>> 0, true);
  v.setUint32(OFF_LFLAG, t.lflag >>> 0, true);
  v.setUint8(OFF_LINE, t.line);
  for (let i = 0; i < T.NCCS; i++) v.setUint8(OFF_CC + i, t.cc[i]!);
}

/** Writes struct termios2 at v[0..44). */
export function putTermios2(v: DataView, t: Termios): void {
  putTermios(v, t);
  v.setUint32(OFF_ISPEED, t.ispeed, true);
  v.setUint32(OFF_OSPEED, t.ospeed, true);
}

/** Writes struct termio at v[0..18). */
export function putTermio(v: DataView, t: Termios): void {
  v.setUint16(0, t.iflag & 0xffff, true);
  v.setUint16(2, t.oflag & 0xffff, true);
  v.setUint16(4, t.cflag & 0xffff, true);
  v.setUint16(6, t.lflag & 0xffff, true);
  v.setUint8(8, t.line);
  for (let i = 0; i < T.NCC; i++) v.setUint8(9 + i, t.cc[i]!);
  v.setUint8(17, 0);
}

/** Reads struct termios from v into t. */
export function getTermios(v: DataView, t: Termios): void {
  t.iflag = v.getUint32(OFF_IFLAG, true);
  t.oflag = v.getUint32(OFF_OFLAG, true);
  t.cflag = v.getUint32(OFF_CFLAG, true);
  t.lflag = v.getUint32(OFF_LFLAG, true);
  t.line = v.getUint8(OFF_LINE);
  for (let i = 0; i < T.NCCS; i++) t.cc[i] = v.getUint8(OFF_CC + i);
  deriveSpeeds(t, t.ispeed, t.ospeed);
}

/** Reads struct termios2 from v into t. */
export function getTermios2(v: DataView, t: Termios): void {
  getTermios(v, t);
  deriveSpeeds(t, v.getUint32(OFF_ISPEED, true), v.getUint32(OFF_OSPEED, true));
}

/** Reads struct termio from v into t, which keeps the high halves of its flags. */
export function getTermio(v: DataView, t: Termios): void {
  t.iflag = ((t.iflag & 0xffff0000) | v.getUint16(0, true)) >>> 0;
  t.oflag = ((t.oflag & 0xffff0000) | v.getUint16(2, true)) >>> 0;
  t.cflag = ((t.cflag & 0xffff0000) | v.getUint16(4, true)) >>> 0;
  t.lflag = ((t.lflag & 0xffff0000) | v.getUint16(6, true)) >>> 0;
  t.line = v.getUint8(8);
  for (let i = 0; i < T.NCC; i++) t.cc[i] = v.getUint8(9 + i);
  deriveSpeeds(t, t.ispeed, t.ospeed);
}
