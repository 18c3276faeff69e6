/** adjtimex(2) modes and status: <linux/timex.h>. */

export const NTP_API = 4;

export const ADJ_OFFSET = 0x1;
export const ADJ_FREQUENCY = 0x2;
export const ADJ_MAXERROR = 0x4;
export const ADJ_ESTERROR = 0x8;
export const ADJ_STATUS = 0x10;
export const ADJ_TIMECONST = 0x20;
export const ADJ_TAI = 0x80;
export const ADJ_SETOFFSET = 0x100;
export const ADJ_MICRO = 0x1000;
export const ADJ_NANO = 0x2000;
export const ADJ_TICK = 0x4000;
export const ADJ_OFFSET_SINGLESHOT = 0x8001;
export const ADJ_OFFSET_SS_READ = 0xa001;

export const MOD_OFFSET = 0x1;
export const MOD_FREQUENCY = 0x2;
export const MOD_MAXERROR = 0x4;
export const MOD_ESTERROR = 0x8;
export const MOD_STATUS = 0x10;
export const MOD_TIMECONST = 0x20;
export const MOD_TAI = 0x80;
export const MOD_MICRO = 0x1000;
export const MOD_NANO = 0x2000;

export const STA_PLL = 0x1;
export const STA_PPSFREQ = 0x2;
export const STA_PPSTIME = 0x4;
export const STA_FLL = 0x8;
export const STA_INS = 0x10;
export const STA_DEL = 0x20;
export const STA_UNSYNC = 0x40;
export const STA_FREQHOLD = 0x80;
export const STA_PPSSIGNAL = 0x100;
export const STA_PPSJITTER = 0x200;
export const STA_PPSWANDER = 0x400;
export const STA_PPSERROR = 0x800;
export const STA_CLOCKERR = 0x1000;
export const STA_NANO = 0x2000;
export const STA_MODE = 0x4000;
export const STA_CLK = 0x8000;
export const STA_RONLY = 0xff00;

export const TIME_OK = 0;
export const TIME_INS = 1;
export const TIME_DEL = 2;
export const TIME_OOP = 3;
export const TIME_WAIT = 4;
export const TIME_ERROR = 5;
export const TIME_BAD = 5;
