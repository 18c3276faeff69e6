import { type Code, fixed } from './encode.ts';

/** Copies rcx bytes from [rsi] to [rdi].  F3 A4 */
export function repMovsb(): Code {
  return fixed(0xf3, 0xa4);
}

/** Copies rcx quadwords from [rsi] to [rdi].  F3 REX.W A5 */
export function repMovsq(): Code {
  return fixed(0xf3, 0x48, 0xa5);
}

/** Fills rcx bytes at [rdi] with al.  F3 AA */
export function repStosb(): Code {
  return fixed(0xf3, 0xaa);
}

/** Fills rcx quadwords at [rdi] with rax.  F3 REX.W AB */
export function repStosq(): Code {
  return fixed(0xf3, 0x48, 0xab);
}

/** String instructions go upwards. */
export function cld(): Code {
  return fixed(0xfc);
}

/** String instructions go downwards. */
export function std(): Code {
  return fixed(0xfd);
}
