// Blocks of a capture file with several interfaces: pcapng (draft-ietf-opsawg-pcapng), little-endian, times in nanoseconds.
// Every block: type, length, body, options, length again, all in units of four bytes.

const SECTION = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const STATISTICS = 5;
const PACKET = 6;
/** LINKTYPE_ETHERNET. */
const ETHERNET = 1;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const ISB_IFDROP = 5;
const EPB_FLAGS = 2;
const INBOUND = 1;
const OUTBOUND = 2;
const NANOSECONDS = 9;
const OPTION = 4;

/** Bytes of a packet's block besides the packet: head (28), flags (8), end of options (4), length (4). */
export const PACKET_BLOCK = 44;

/** Bytes of a block that tells what is missing. */
export const STATISTICS_BLOCK = 12 + 12 + OPTION + 8 + OPTION;

const pad4 = (n: number): number => (n + 3) & ~3;

function block(type: number, size: number): DataView {
  const view = new DataView(new ArrayBuffer(12 + size));
  view.setUint32(0, type, true);
  view.setUint32(4, 12 + size, true);
  view.setUint32(8 + size, 12 + size, true);
  return view;
}

/** The first block: everything behind it is one section. */
export function sectionBlock(): Uint8Array {
  const view = block(SECTION, 16);
  view.setUint32(8, BYTE_ORDER, true);
  view.setUint16(12, 1, true);
  // Its length is not known.
  view.setUint32(16, 0xffffffff, true);
  view.setUint32(20, 0xffffffff, true);
  return new Uint8Array(view.buffer);
}

/** An interface whose frames have Ethernet headers; the first is number 0. */
export function interfaceBlock(name: string): Uint8Array {
  const nameSize = pad4(name.length);
  const view = block(INTERFACE, 8 + OPTION + nameSize + OPTION + 4 + OPTION);
  view.setUint16(8, ETHERNET, true);
  let at = 16;
  view.setUint16(at, IF_NAME, true);
  view.setUint16(at + 2, name.length, true);
  for (let i = 0; i < name.length; i++) view.setUint8(at + OPTION + i, name.charCodeAt(i));
  at += OPTION + nameSize;
  view.setUint16(at, IF_TSRESOL, true);
  view.setUint16(at + 2, 1, true);
  view.setUint8(at + OPTION, NANOSECONDS);
  return new Uint8Array(view.buffer);
}

/** Writes a time as two words, high and low, of nanoseconds since 1970: exactly, which a double is not. */
function putTime(view: DataView, at: number, sec: number, nsec: number): void {
  const high = Math.floor(sec / 65536) * 1e9;
  const low = (high % 65536) * 65536 + (sec % 65536) * 1e9 + nsec;
  view.setUint32(at, Math.floor(high / 65536) + Math.floor(low / 0x100000000), true);
  view.setUint32(at + 4, low % 0x100000000, true);
}

/** Bytes of the block for a frame of `size` bytes. */
export function packetBlockSize(size: number): number {
  return PACKET_BLOCK + pad4(size);
}

/** Writes a frame's block at `at`, where packetBlockSize has room; where it ends. */
export function putPacketBlock(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  frame: Uint8Array,
  id: number,
  sec: number,
  nsec: number,
  outgoing: boolean,
): number {
  const size = packetBlockSize(frame.length);
  view.setUint32(at, PACKET, true);
  view.setUint32(at + 4, size, true);
  view.setUint32(at + 8, id, true);
  putTime(view, at + 12, sec, nsec);
  view.setUint32(at + 20, frame.length, true);
  view.setUint32(at + 24, frame.length, true);
  bytes.set(frame, at + 28);
  const options = at + 28 + pad4(frame.length);
  bytes.fill(0, at + 28 + frame.length, options);
  view.setUint16(options, EPB_FLAGS, true);
  view.setUint16(options + 2, 4, true);
  view.setUint32(options + 4, outgoing ? OUTBOUND : INBOUND, true);
  view.setUint32(options + 8, 0, true);
  view.setUint32(options + 12, size, true);
  return at + size;
}

/** How many frames of an interface are missing. */
export function statisticsBlock(id: number, sec: number, nsec: number, dropped: number): Uint8Array {
  const view = block(STATISTICS, 12 + OPTION + 8 + OPTION);
  view.setUint32(8, id, true);
  putTime(view, 12, sec, nsec);
  view.setUint16(20, ISB_IFDROP, true);
  view.setUint16(22, 8, true);
  view.setUint32(24, dropped, true);
  return new Uint8Array(view.buffer);
}

/** Where the last block ends that is whole in bytes[0, size), which begin with one. */
export function wholeBlocks(view: DataView, size: number): number {
  let at = 0;
  while (at + 8 <= size) {
    const next = at + view.getUint32(at + 4, true);
    if (next > size || next <= at) break;
    at = next;
  }
  return at;
}
