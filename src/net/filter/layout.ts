// How tables lie in memory: <linux/netfilter_ipv4/ip_tables.h>, <linux/netfilter_ipv6/ip6_tables.h>, <linux/netfilter/x_tables.h>.
//
//   entry:   [ ip | nfcache | target_offset next_offset comefrom | pcnt bcnt ][ match ... ][ target ]
//   match:   [ size u16 | name 29 | revision u8 ][ data ... ]         all in units of 8 bytes

export const NF_DROP = 0;
export const NF_ACCEPT = 1;
/** What a verdict of the standard target says that is no verdict: XT_RETURN. */
export const XT_RETURN = -5;
/** The target has nothing to say: XT_CONTINUE. */
export const XT_CONTINUE = -1;

export const PRE_ROUTING = 0;
export const LOCAL_IN = 1;
export const FORWARD = 2;
export const LOCAL_OUT = 3;
export const POST_ROUTING = 4;
export const HOOKS = 5;

export const NAME_SIZE = 32;
export const PART_HEADER = 32;
export const PART_NAME = 2;
export const PART_NAME_SIZE = 29;
export const PART_REVISION = 31;

export const INV_VIA_IN = 0x01;
export const INV_VIA_OUT = 0x02;
export const INV_TOS = 0x04;
export const INV_SRC = 0x08;
export const INV_DST = 0x10;
export const INV_FRAG = 0x20;
export const INV_PROTO = 0x40;

/** One family's entries. */
export interface Layout {
  readonly v6: boolean;
  readonly addressSize: number;
  readonly interfaces: number;
  readonly proto: number;
  readonly flags: number;
  readonly inverted: number;
  readonly gotoFlag: number;
  /** Size of what is compared with the header. */
  readonly ipSize: number;
  readonly targetOffset: number;
  readonly nextOffset: number;
  readonly counters: number;
  readonly size: number;
}

export const LAYOUT_V4: Layout = {
  v6: false,
  addressSize: 4,
  interfaces: 16,
  proto: 80,
  flags: 82,
  inverted: 83,
  gotoFlag: 2,
  ipSize: 84,
  targetOffset: 88,
  nextOffset: 90,
  counters: 96,
  size: 112,
};

export const LAYOUT_V6: Layout = {
  v6: true,
  addressSize: 16,
  interfaces: 64,
  proto: 128,
  flags: 131,
  inverted: 132,
  gotoFlag: 4,
  ipSize: 136,
  targetOffset: 140,
  nextOffset: 142,
  counters: 152,
  size: 168,
};

/** Tables, and the hooks that each has. */
export const TABLES: Readonly<Record<string, number>> = {
  raw: (1 << PRE_ROUTING) | (1 << LOCAL_OUT),
  mangle: 0x1f,
  nat: (1 << PRE_ROUTING) | (1 << LOCAL_IN) | (1 << LOCAL_OUT) | (1 << POST_ROUTING),
  filter: (1 << LOCAL_IN) | (1 << FORWARD) | (1 << LOCAL_OUT),
};

/** Text of a field of `size` bytes, up to its NUL. */
export function textAt(bytes: Uint8Array, at: number, size: number): string {
  let text = '';
  for (let i = at; i < at + size && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
