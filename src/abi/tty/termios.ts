/** Terminal modes: <asm/termbits.h>, <asm/termios.h>. */

import { getBytes, putBytes } from '../bytes.ts';

export const IGNBRK = 0x1;
export const BRKINT = 0x2;
export const IGNPAR = 0x4;
export const PARMRK = 0x8;
export const INPCK = 0x10;
export const ISTRIP = 0x20;
export const INLCR = 0x40;
export const IGNCR = 0x80;
export const ICRNL = 0x100;
export const IXANY = 0x800;
export const OPOST = 0x1;
export const OCRNL = 0x8;
export const ONOCR = 0x10;
export const ONLRET = 0x20;
export const OFILL = 0x40;
export const OFDEL = 0x80;
export const B0 = 0x0;
export const B50 = 0x1;
export const B75 = 0x2;
export const B110 = 0x3;
export const B134 = 0x4;
export const B150 = 0x5;
export const B200 = 0x6;
export const B300 = 0x7;
export const B600 = 0x8;
export const B1200 = 0x9;
export const B1800 = 0xa;
export const B2400 = 0xb;
export const B4800 = 0xc;
export const B9600 = 0xd;
export const B19200 = 0xe;
export const B38400 = 0xf;
export const EXTA = 0xe;
export const EXTB = 0xf;
export const ADDRB = 0x20000000;
export const CMSPAR = 0x40000000;
export const CRTSCTS = 0x80000000;
export const IBSHIFT = 16;
export const TCOOFF = 0;
export const TCOON = 1;
export const TCIOFF = 2;
export const TCION = 3;
export const TCIFLUSH = 0;
export const TCOFLUSH = 1;
export const TCIOFLUSH = 2;
export const NCCS = 19;
export const VINTR = 0;
export const VQUIT = 1;
export const VERASE = 2;
export const VKILL = 3;
export const VEOF = 4;
export const VTIME = 5;
export const VMIN = 6;
export const VSWTC = 7;
export const VSTART = 8;
export const VSTOP = 9;
export const VSUSP = 10;
export const VEOL = 11;
export const VREPRINT = 12;
export const VDISCARD = 13;
export const VWERASE = 14;
export const VLNEXT = 15;
export const VEOL2 = 16;
export const IUCLC = 0x200;
export const IXON = 0x400;
export const IXOFF = 0x1000;
export const IMAXBEL = 0x2000;
export const IUTF8 = 0x4000;
export const OLCUC = 0x2;
export const ONLCR = 0x4;
export const NLDLY = 0x100;
export const NL0 = 0x0;
export const NL1 = 0x100;
export const CRDLY = 0x600;
export const CR0 = 0x0;
export const CR1 = 0x200;
export const CR2 = 0x400;
export const CR3 = 0x600;
export const TABDLY = 0x1800;
export const TAB0 = 0x0;
export const TAB1 = 0x800;
export const TAB2 = 0x1000;
export const TAB3 = 0x1800;
export const XTABS = 0x1800;
export const BSDLY = 0x2000;
export const BS0 = 0x0;
export const BS1 = 0x2000;
export const VTDLY = 0x4000;
export const VT0 = 0x0;
export const VT1 = 0x4000;
export const FFDLY = 0x8000;
export const FF0 = 0x0;
export const FF1 = 0x8000;
export const CBAUD = 0x100f;
export const CSIZE = 0x30;
export const CS5 = 0x0;
export const CS6 = 0x10;
export const CS7 = 0x20;
export const CS8 = 0x30;
export const CSTOPB = 0x40;
export const CREAD = 0x80;
export const PARENB = 0x100;
export const PARODD = 0x200;
export const HUPCL = 0x400;
export const CLOCAL = 0x800;
export const CBAUDEX = 0x1000;
export const BOTHER = 0x1000;
export const B57600 = 0x1001;
export const B115200 = 0x1002;
export const B230400 = 0x1003;
export const B460800 = 0x1004;
export const B500000 = 0x1005;
export const B576000 = 0x1006;
export const B921600 = 0x1007;
export const B1000000 = 0x1008;
export const B1152000 = 0x1009;
export const B1500000 = 0x100a;
export const B2000000 = 0x100b;
export const B2500000 = 0x100c;
export const B3000000 = 0x100d;
export const B3500000 = 0x100e;
export const B4000000 = 0x100f;
export const CIBAUD = 0x100f0000;
export const ISIG = 0x1;
export const ICANON = 0x2;
export const XCASE = 0x4;
export const ECHO = 0x8;
export const ECHOE = 0x10;
export const ECHOK = 0x20;
export const ECHONL = 0x40;
export const NOFLSH = 0x80;
export const TOSTOP = 0x100;
export const ECHOCTL = 0x200;
export const ECHOPRT = 0x400;
export const ECHOKE = 0x800;
export const FLUSHO = 0x1000;
export const PENDIN = 0x4000;
export const IEXTEN = 0x8000;
export const EXTPROC = 0x10000;
export const TCSANOW = 0;
export const TCSADRAIN = 1;
export const TCSAFLUSH = 2;
export const NCC = 8;
export const TIOCM_LE = 0x1;
export const TIOCM_DTR = 0x2;
export const TIOCM_RTS = 0x4;
export const TIOCM_ST = 0x8;
export const TIOCM_SR = 0x10;
export const TIOCM_CTS = 0x20;
export const TIOCM_CAR = 0x40;
export const TIOCM_RNG = 0x80;
export const TIOCM_DSR = 0x100;
export const TIOCM_CD = 0x40;
export const TIOCM_RI = 0x80;
export const TIOCM_OUT1 = 0x2000;
export const TIOCM_OUT2 = 0x4000;
export const TIOCM_LOOP = 0x8000;

/** Layout of struct termios. */
export const SIZEOF_TERMIOS = 36;
export const TERMIOS_C_IFLAG = 0;
export const TERMIOS_C_OFLAG = 4;
export const TERMIOS_C_CFLAG = 8;
export const TERMIOS_C_LFLAG = 12;
export const TERMIOS_C_LINE = 16;
export const TERMIOS_C_CC = 17;

/** Layout of struct termios2. */
export const SIZEOF_TERMIOS2 = 44;
export const TERMIOS2_C_IFLAG = 0;
export const TERMIOS2_C_OFLAG = 4;
export const TERMIOS2_C_CFLAG = 8;
export const TERMIOS2_C_LFLAG = 12;
export const TERMIOS2_C_LINE = 16;
export const TERMIOS2_C_CC = 17;
export const TERMIOS2_C_ISPEED = 36;
export const TERMIOS2_C_OSPEED = 40;

/** Terminal modes; cc holds NCCS control characters, indexed by VINTR and its like. Speeds are termios2's. */
export type Termios = {
  iflag: number;
  oflag: number;
  cflag: number;
  lflag: number;
  line: number;
  cc: Uint8Array;
  ispeed: number;
  ospeed: number;
};

/** TCGETS: without the speeds. */
export function encodeTermios(view: DataView, off: number, s: Termios): void {
  view.setUint32(off + TERMIOS_C_IFLAG, s.iflag, true);
  view.setUint32(off + TERMIOS_C_OFLAG, s.oflag, true);
  view.setUint32(off + TERMIOS_C_CFLAG, s.cflag, true);
  view.setUint32(off + TERMIOS_C_LFLAG, s.lflag, true);
  view.setUint8(off + TERMIOS_C_LINE, s.line);
  putBytes(view, off + TERMIOS_C_CC, NCCS, s.cc);
}

/** TCGETS2. */
export function encodeTermios2(view: DataView, off: number, s: Termios): void {
  encodeTermios(view, off, s);
  view.setUint32(off + TERMIOS2_C_ISPEED, s.ispeed, true);
  view.setUint32(off + TERMIOS2_C_OSPEED, s.ospeed, true);
}

/** TCSETS: the speeds, which the struct lacks, are 0. */
export function decodeTermios(view: DataView, off: number): Termios {
  return {
    iflag: view.getUint32(off + TERMIOS_C_IFLAG, true),
    oflag: view.getUint32(off + TERMIOS_C_OFLAG, true),
    cflag: view.getUint32(off + TERMIOS_C_CFLAG, true),
    lflag: view.getUint32(off + TERMIOS_C_LFLAG, true),
    line: view.getUint8(off + TERMIOS_C_LINE),
    cc: getBytes(view, off + TERMIOS_C_CC, NCCS),
    ispeed: 0,
    ospeed: 0,
  };
}

/** TCSETS2. */
export function decodeTermios2(view: DataView, off: number): Termios {
  const s = decodeTermios(view, off);
  s.ispeed = view.getUint32(off + TERMIOS2_C_ISPEED, true);
  s.ospeed = view.getUint32(off + TERMIOS2_C_OSPEED, true);
  return s;
}

/** Layout of struct winsize. */
export const SIZEOF_WINSIZE = 8;
export const WINSIZE_WS_ROW = 0;
export const WINSIZE_WS_COL = 2;
export const WINSIZE_WS_XPIXEL = 4;
export const WINSIZE_WS_YPIXEL = 6;

/** TIOCGWINSZ. */
export type Winsize = {
  row: number;
  col: number;
  xpixel: number;
  ypixel: number;
};

export function encodeWinsize(view: DataView, off: number, s: Winsize): void {
  view.setUint16(off + WINSIZE_WS_ROW, s.row, true);
  view.setUint16(off + WINSIZE_WS_COL, s.col, true);
  view.setUint16(off + WINSIZE_WS_XPIXEL, s.xpixel, true);
  view.setUint16(off + WINSIZE_WS_YPIXEL, s.ypixel, true);
}

export function decodeWinsize(view: DataView, off: number): Winsize {
  return {
    row: view.getUint16(off + WINSIZE_WS_ROW, true),
    col: view.getUint16(off + WINSIZE_WS_COL, true),
    xpixel: view.getUint16(off + WINSIZE_WS_XPIXEL, true),
    ypixel: view.getUint16(off + WINSIZE_WS_YPIXEL, true),
  };
}
