/** Line disciplines, consoles and virtual terminals: <linux/tty.h>, <linux/kd.h>, <linux/vt.h>. */

export const N_TTY = 0;
export const N_SLIP = 1;
export const N_MOUSE = 2;
export const N_PPP = 3;
export const N_STRIP = 4;
export const N_AX25 = 5;
export const N_X25 = 6;
export const N_6PACK = 7;
export const N_MASC = 8;
export const N_R3964 = 9;
export const N_PROFIBUS_FDL = 10;
export const N_IRDA = 11;
export const N_SMSBLOCK = 12;
export const N_HDLC = 13;
export const N_SYNC_PPP = 14;
export const N_HCI = 15;
export const N_GIGASET_M101 = 16;
export const N_SLCAN = 17;
export const N_PPS = 18;
export const N_V253 = 19;
export const N_CAIF = 20;
export const N_GSM0710 = 21;
export const N_TI_WL = 22;
export const N_TRACESINK = 23;
export const N_TRACEROUTER = 24;
export const N_NCI = 25;
export const N_SPEAKUP = 26;
export const N_NULL = 27;
export const N_MCTP = 28;
export const N_DEVELOPMENT = 29;
export const N_CAN327 = 30;

export const GIO_FONT = 0x4b60;
export const PIO_FONT = 0x4b61;
export const GIO_FONTX = 0x4b6b;
export const PIO_FONTX = 0x4b6c;
export const PIO_FONTRESET = 0x4b6d;
export const GIO_CMAP = 0x4b70;
export const PIO_CMAP = 0x4b71;

export const KDMKTONE = 0x4b30;
export const KDGETLED = 0x4b31;
export const KDSETLED = 0x4b32;

export const LED_SCR = 0x1;
export const LED_NUM = 0x2;
export const LED_CAP = 0x4;

export const KDGKBTYPE = 0x4b33;

export const KB_84 = 0x1;
export const KB_101 = 0x2;
export const KB_OTHER = 0x3;

export const KDADDIO = 0x4b34;
export const KDDELIO = 0x4b35;
export const KDENABIO = 0x4b36;
export const KDDISABIO = 0x4b37;
export const KDSETMODE = 0x4b3a;

export const KD_TEXT = 0x0;
export const KD_GRAPHICS = 0x1;
export const KD_TEXT0 = 0x2;
export const KD_TEXT1 = 0x3;

export const KDGETMODE = 0x4b3b;
export const KDMAPDISP = 0x4b3c;
export const KDUNMAPDISP = 0x4b3d;

export const GIO_SCRNMAP = 0x4b40;
export const PIO_SCRNMAP = 0x4b41;
export const GIO_UNISCRNMAP = 0x4b69;
export const PIO_UNISCRNMAP = 0x4b6a;
export const GIO_UNIMAP = 0x4b66;
export const PIO_UNIMAP = 0x4b67;
export const PIO_UNIMAPCLR = 0x4b68;

export const K_RAW = 0x0;
export const K_XLATE = 0x1;
export const K_MEDIUMRAW = 0x2;
export const K_UNICODE = 0x3;
export const K_OFF = 0x4;

export const KDGKBMODE = 0x4b44;
export const KDSKBMODE = 0x4b45;
export const K_METABIT = 0x3;
export const K_ESCPREFIX = 0x4;
export const KDGKBMETA = 0x4b62;
export const KDSKBMETA = 0x4b63;

export const K_SCROLLLOCK = 0x1;
export const K_NUMLOCK = 0x2;
export const K_CAPSLOCK = 0x4;

export const KDGKBLED = 0x4b64;
export const KDSKBLED = 0x4b65;

export const K_NORMTAB = 0x0;
export const K_SHIFTTAB = 0x1;
export const K_ALTTAB = 0x2;
export const K_ALTSHIFTTAB = 0x3;

export const KDGKBENT = 0x4b46;
export const KDSKBENT = 0x4b47;
export const KDGKBSENT = 0x4b48;
export const KDSKBSENT = 0x4b49;
export const KDGKBDIACR = 0x4b4a;
export const KDSKBDIACR = 0x4b4b;
export const KDGKBDIACRUC = 0x4bfa;
export const KDSKBDIACRUC = 0x4bfb;
export const KDGETKEYCODE = 0x4b4c;
export const KDSETKEYCODE = 0x4b4d;
export const KDSIGACCEPT = 0x4b4e;
export const KDKBDREP = 0x4b52;
export const KDFONTOP = 0x4b72;

export const KD_FONT_OP_SET = 0;
export const KD_FONT_OP_GET = 1;
export const KD_FONT_OP_SET_DEFAULT = 2;
export const KD_FONT_OP_COPY = 3;
export const KD_FONT_FLAG_DONT_RECALC = 1;

export const MIN_NR_CONSOLES = 1;
export const MAX_NR_CONSOLES = 63;

export const VT_OPENQRY = 0x5600;
export const VT_GETMODE = 0x5601;
export const VT_SETMODE = 0x5602;
export const VT_AUTO = 0x0;
export const VT_PROCESS = 0x1;
export const VT_ACKACQ = 0x2;
export const VT_GETSTATE = 0x5603;
export const VT_SENDSIG = 0x5604;
export const VT_RELDISP = 0x5605;
export const VT_ACTIVATE = 0x5606;
export const VT_WAITACTIVE = 0x5607;
export const VT_DISALLOCATE = 0x5608;
export const VT_RESIZE = 0x5609;
export const VT_RESIZEX = 0x560a;
export const VT_LOCKSWITCH = 0x560b;
export const VT_UNLOCKSWITCH = 0x560c;
export const VT_GETHIFONTMASK = 0x560d;
export const VT_EVENT_SWITCH = 0x1;
export const VT_EVENT_BLANK = 0x2;
export const VT_EVENT_UNBLANK = 0x4;
export const VT_EVENT_RESIZE = 0x8;
export const VT_MAX_EVENT = 0xf;
export const VT_WAITEVENT = 0x560e;
export const VT_SETACTIVATE = 0x560f;
