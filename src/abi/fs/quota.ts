/** quotactl(2) commands: <linux/quota.h>. */

export const MAXQUOTAS = 3;
export const USRQUOTA = 0;
export const GRPQUOTA = 1;
export const PRJQUOTA = 2;
export const SUBCMDMASK = 0xff;
export const SUBCMDSHIFT = 8;

export const Q_SYNC = 0x800001;
export const Q_QUOTAON = 0x800002;
export const Q_QUOTAOFF = 0x800003;
export const Q_GETFMT = 0x800004;
export const Q_GETINFO = 0x800005;
export const Q_SETINFO = 0x800006;
export const Q_GETQUOTA = 0x800007;
export const Q_SETQUOTA = 0x800008;
export const Q_GETNEXTQUOTA = 0x800009;
