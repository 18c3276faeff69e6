// Attributes of a received netlink message: looked at once, each at its last place, within bounds that were checked.

import { NLA_TYPE_MASK, NLATTR_NLA_TYPE, SIZEOF_NLATTR } from '../../../abi/net/netlink.ts';

/** One attribute: its value is view[at, at + size). */
export interface Attribute {
  readonly at: number;
  readonly size: number;
}

export class Attributes {
  readonly view: DataView;
  private readonly found: Map<number, Attribute> = new Map();

  /** Those in view[from, to); what is cut short at the end is ignored, as nla_parse does without strict checking. */
  constructor(view: DataView, from: number, to: number) {
    this.view = view;
    for (let at = from; at + SIZEOF_NLATTR <= to; ) {
      const length = view.getUint16(at, true);
      if (length < SIZEOF_NLATTR || at + length > to) break;
      const type = view.getUint16(at + NLATTR_NLA_TYPE, true) & NLA_TYPE_MASK;
      this.found.set(type, { at: at + SIZEOF_NLATTR, size: length - SIZEOF_NLATTR });
      at += (length + 3) & ~3;
    }
  }

  has(type: number): boolean {
    return this.found.has(type);
  }

  get(type: number): Attribute | undefined {
    return this.found.get(type);
  }

  /** The value as a number of up to 4 bytes; undefined when it is absent or too short. */
  u32(type: number): number | undefined {
    const a = this.found.get(type);
    return a === undefined || a.size < 4 ? undefined : this.view.getUint32(a.at, true);
  }

  u16(type: number): number | undefined {
    const a = this.found.get(type);
    return a === undefined || a.size < 2 ? undefined : this.view.getUint16(a.at, true);
  }

  u8(type: number): number | undefined {
    const a = this.found.get(type);
    return a === undefined || a.size < 1 ? undefined : this.view.getUint8(a.at);
  }

  /** Text up to its NUL or end. */
  text(type: number): string | undefined {
    const a = this.found.get(type);
    if (a === undefined) return undefined;
    let text = '';
    for (let i = 0; i < a.size; i++) {
      const c = this.view.getUint8(a.at + i);
      if (c === 0) break;
      text += String.fromCharCode(c);
    }
    return text;
  }

  bytes(type: number): Uint8Array | undefined {
    const a = this.found.get(type);
    if (a === undefined) return undefined;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + a.at, a.size).slice();
  }

  /** Those inside an attribute. */
  nested(type: number): Attributes | undefined {
    const a = this.found.get(type);
    return a === undefined ? undefined : new Attributes(this.view, a.at, a.at + a.size);
  }
}
