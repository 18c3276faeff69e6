// The header of UDP (RFC 768).
//
//   0: source port   2: destination port   4: length   6: checksum

export const UDP_SIZE = 8;
export const UDP_SOURCE = 0;
export const UDP_DESTINATION = 2;
export const UDP_LENGTH = 4;
export const UDP_SUM = 6;

/** The length that the header at `at` tells, of `total` bytes that came; -1 when it cannot be. */
export function checkUdp(view: DataView, at: number, room: number, total: number): number {
  if (room < UDP_SIZE) return -1;
  const length = view.getUint16(at + UDP_LENGTH);
  return length < UDP_SIZE || length > total ? -1 : length;
}

/** Writes a header without checksum at `at`. */
export function putUdp(
  view: DataView,
  at: number,
  source: number,
  destination: number,
  length: number,
): void {
  view.setUint16(at, source);
  view.setUint16(at + 2, destination);
  view.setUint16(at + 4, length);
  view.setUint16(at + 6, 0);
}
