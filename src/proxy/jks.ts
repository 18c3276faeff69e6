// A Java key store with nothing but trusted certificates: the old JKS format, which every Java reads and which needs no cipher.
// Its layout is that of sun.security.provider.JavaKeyStore.engineStore, big-endian:
//
//   u32 magic | u32 version 2 | u32 entries
//   entry: u32 2 | u16 + alias | u64 ms since 1970 | u16 + "X.509" | u32 + DER
//   20 bytes: SHA-1 of the password in UTF-16BE, "Mighty Aphrodite", and all before

import { createHash } from 'node:crypto';

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;

const u16 = (n: number): Buffer => Buffer.of(n >>> 8, n & 0xff);
const u32 = (n: number): Buffer => Buffer.of(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
const text = (s: string): Buffer => Buffer.concat([u16(s.length), Buffer.from(s, 'latin1')]);

/** A trust store of PEM certificates, locked with `password` as keytool does. */
export function javaTrustStore(certificates: readonly string[], password: string): Buffer {
  const entries = certificates.map((pem, i) => {
    const der = Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ''), 'base64');
    const created = Buffer.alloc(8);
    return Buffer.concat([
      u32(TRUSTED_CERTIFICATE),
      text(`ca${i}`),
      created,
      text('X.509'),
      u32(der.length),
      der,
    ]);
  });
  const store = Buffer.concat([u32(MAGIC), u32(VERSION), u32(entries.length), ...entries]);
  const wide = Buffer.from(password, 'utf16le').swap16();
  const digest = createHash('sha1').update(wide).update('Mighty Aphrodite').update(store).digest();
  return Buffer.concat([store, digest]);
}
