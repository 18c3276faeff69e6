// Bodies on their way: what is done to them, and the pump that carries them with back pressure.

import type { Readable, Writable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Replacer } from './replacer.ts';
import type { Form, HostSecrets } from './secrets.ts';

const NOTHING = Buffer.alloc(0);

/** Bytes in, bytes out; once it is refused nothing comes out. */
export interface Filter {
  push(chunk: Buffer): Buffer;
  end(): Buffer;
  readonly refused: boolean;
}

/** Replaces in a body, and watches for what must not be in it. */
export class BodyFilter implements Filter {
  private readonly replacer: Replacer;
  private readonly watch: Replacer | null;

  constructor(replacer: Replacer, watch: Replacer | null) {
    this.replacer = replacer;
    this.watch = watch;
  }

  push(chunk: Buffer): Buffer {
    this.watch?.push(chunk);
    return this.refused ? NOTHING : this.replacer.push(chunk);
  }

  end(): Buffer {
    this.watch?.end();
    return this.refused ? NOTHING : this.replacer.end();
  }

  /** A placeholder for another host was in it: nothing more comes out. */
  get refused(): boolean {
    return this.watch !== null && this.watch.hits > 0;
  }
}

/** How a body goes on. */
export interface BodyPlan {
  readonly filter: Filter | null;
  /** It is read to its end first, since its length may change and is told before it. */
  readonly whole: boolean;
  /** The length told stays right. */
  readonly keepsLength: boolean;
}

const AS_IS: BodyPlan = { filter: null, whole: false, keepsLength: true };

/** In which form a value stands in a body of this type. */
function formOf(contentType: string): Form {
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType)) return 'percent';
  return /[/+]json\b/i.test(contentType) ? 'json' : 'raw';
}

const isEncoded = (encoding: string): boolean => encoding !== '' && encoding.toLowerCase() !== 'identity';

/** Of a request's body. Compressed ones go as they are: a placeholder in them stays one, which gives nothing away. */
export function requestPlan(
  secrets: HostSecrets,
  head: { readonly type: string; readonly encoding: string; readonly length: number | null },
  mostBytes: number,
): BodyPlan {
  if (isEncoded(head.encoding) || head.length === 0) return AS_IS;
  const foreign = secrets.foreignPatterns();
  const watch = foreign.longest > 0 ? new Replacer(foreign) : null;
  const set = secrets.outgoing(formOf(head.type));
  if (set.longest === 0 && watch === null) return AS_IS;
  const filter = new BodyFilter(new Replacer(set), watch);
  if (set.longest === 0) return { filter, whole: false, keepsLength: true };
  return { filter, whole: head.length !== null && head.length <= mostBytes, keepsLength: false };
}

/**
 * Of an answer's body. One that is short or of unknown length has the placeholder for the value; in others as many bytes as the
 * value has stand for it, so that the length told before stays right.
 */
export function answerPlan(
  secrets: HostSecrets,
  length: number | null,
  partial: boolean,
  mostBytes: number,
): BodyPlan {
  if (!secrets.any || length === 0) return AS_IS;
  if (partial || (length !== null && length > mostBytes))
    return { filter: new BodyFilter(new Replacer(secrets.masks()), null), whole: false, keepsLength: true };
  const filter = new BodyFilter(new Replacer(secrets.incoming()), null);
  return { filter, whole: length !== null, keepsLength: false };
}

/** `source` without its content coding (RFC 9110 8.4.1), itself when it has none, null for one that cannot be undone. */
export function withoutCoding(source: Readable, encoding: string): Readable | null {
  if (!isEncoded(encoding)) return source;
  const coding = encoding.toLowerCase();
  const undo =
    coding === 'gzip' || coding === 'x-gzip'
      ? createGunzip()
      : coding === 'deflate'
        ? createInflate()
        : coding === 'br'
          ? createBrotliDecompress()
          : null;
  if (undo === null) return null;
  source.on('error', (error) => undo.destroy(error));
  source.on('close', () => {
    if (!source.readableEnded) undo.destroy();
  });
  undo.on('close', () => source.destroy());
  source.pipe(undo);
  return undo;
}

/** Carries a body over. `done` comes once: after the last byte was handed on, or with what went wrong. */
export function pump(
  source: Readable,
  to: Writable,
  filter: Filter | null,
  done: (failure: 'refused' | 'broken' | null) => void,
): void {
  let over = false;
  const finish = (failure: 'refused' | 'broken' | null): void => {
    if (over) return;
    over = true;
    source.off('data', take);
    done(failure);
  };
  const hand = (bytes: Buffer): void => {
    if (bytes.length === 0 || to.destroyed || to.write(bytes)) return;
    source.pause();
    to.once('drain', () => source.resume());
  };
  const take = (chunk: Buffer): void => {
    const out = filter === null ? chunk : filter.push(chunk);
    if (filter?.refused) finish('refused');
    else hand(out);
  };
  source.on('end', () => {
    if (over) return;
    const rest = filter === null ? NOTHING : filter.end();
    if (filter?.refused) return finish('refused');
    hand(rest);
    finish(null);
  });
  source.on('error', () => finish('broken'));
  source.on('close', () => finish('broken'));
  source.on('data', take);
}

/** Bytes of all bodies that are kept whole, of all connections: many small ones are much, too. */
const MOST_HELD = 128 << 20;
let heldBytes = 0;

/** Reads a body whole; it is held until `endWith`. What comes is null when it broke off, was refused (filter.refused) or is too much. */
export function collect(
  source: Readable,
  filter: Filter,
  mostBytes: number,
  done: (body: Buffer | null) => void,
): void {
  const parts: Buffer[] = [];
  let size = 0;
  let over = false;
  const finish = (whole: boolean): void => {
    if (over) return;
    over = true;
    if (!whole) heldBytes -= size;
    done(whole ? Buffer.concat(parts) : null);
  };
  const take = (bytes: Buffer): void => {
    size += bytes.length;
    heldBytes += bytes.length;
    // A length was told and holds for what came in; these bounds are for what a replacement adds, and for all together.
    if (filter.refused || size > mostBytes || heldBytes > MOST_HELD) finish(false);
    else parts.push(bytes);
  };
  source.on('data', (chunk: Buffer) => {
    if (!over) take(filter.push(chunk));
  });
  source.on('end', () => {
    if (!over) take(filter.end());
    finish(true);
  });
  source.on('error', () => finish(false));
  source.on('close', () => finish(false));
}

/** Writes a collected body to its end, and lets it go when that is over; `to` is null when nobody wants it any more. */
export function endWith(to: Writable | null, body: Buffer): void {
  if (to === null || to.destroyed) {
    heldBytes -= body.length;
    return;
  }
  to.once('close', () => {
    heldBytes -= body.length;
  });
  to.end(body);
}
