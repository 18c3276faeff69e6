// The sandbox's certificate authority and the certificates that it makes for names (X.509: RFC 5280). Keys and signatures are
// node:crypto's; here is only the text that is signed.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { bits, explicit, implicit, integer, octets, oid, sequence, setOf, time, truth, utf8 } from './der.ts';

const OID_COMMON_NAME = '2.5.4.3';
const OID_ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const OID_BASIC_CONSTRAINTS = '2.5.29.19';
const OID_KEY_USAGE = '2.5.29.15';
const OID_EXTENDED_KEY_USAGE = '2.5.29.37';
const OID_SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const OID_SUBJECT_ALT_NAME = '2.5.29.17';
const OID_SUBJECT_KEY = '2.5.29.14';
const OID_AUTHORITY_KEY = '2.5.29.35';
/** GeneralName's choices. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

const DAY_MS = 86_400_000;
const CA_DAYS = 800;
const LEAF_DAYS = 90;
/** A certificate is made anew long before it runs out. */
const REMAKE_MS = 30 * DAY_MS;
/** Clocks inside may be behind ours. */
const EARLY_MS = DAY_MS;
const MOST_LEAVES = 256;

const sha256Algorithm = sequence(oid(OID_ECDSA_SHA256));
const commonName = (text: string): Buffer => sequence(setOf(sequence(oid(OID_COMMON_NAME), utf8(text))));
const extension = (id: string, critical: boolean, content: Uint8Array): Buffer =>
  sequence(oid(id), ...(critical ? [truth(true)] : []), octets(content));

/** RFC 5280 4.2.1.2, method 1, with a hash that is still good. */
const keyId = (spki: Buffer): Buffer => createHash('sha256').update(spki).digest().subarray(0, 20);

interface Wanted {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly spki: Buffer;
  readonly days: number;
  readonly extensions: readonly Buffer[];
}

/** A signed certificate as PEM (RFC 5280 4.1). */
function certificate(wanted: Wanted, signer: KeyObject): string {
  const now = Date.now();
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const tbs = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(serial),
    sha256Algorithm,
    wanted.issuer,
    sequence(time(new Date(now - EARLY_MS)), time(new Date(now + wanted.days * DAY_MS))),
    wanted.subject,
    wanted.spki,
    explicit(3, sequence(...wanted.extensions)),
  );
  return toPem(sequence(tbs, sha256Algorithm, bits(sign('sha256', tbs, signer))));
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function newKey(): { key: KeyObject; spki: Buffer } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key: pair.privateKey, spki: pair.publicKey.export({ type: 'spki', format: 'der' }) };
}

/** Address as an octet string: 4 or 16 bytes. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes an address in its one short form, an IPv4 tail as two groups.
  const short = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = short.split('::');
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const middle = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...new Array<string>(middle).fill('0'), ...groups(tail)];
  return Buffer.from(all.map((g) => g.padStart(4, '0')).join(''), 'hex');
}

interface Leaf {
  readonly context: SecureContext;
  readonly madeAtMs: number;
}

/** An authority of one sandbox. Its key never leaves it. */
export class Authority {
  /** Its certificate, for those inside. */
  readonly pem: string;
  private readonly key: KeyObject;
  private readonly name: Buffer;
  private readonly id: Buffer;
  private readonly leafKey = newKey();
  /** The key of all of its certificates for names: PKCS#8 PEM. */
  readonly leafKeyPem: string;
  /** In order of use, the oldest first. */
  private readonly leaves = new Map<string, Leaf>();

  private constructor(key: KeyObject, spki: Buffer) {
    this.key = key;
    this.id = keyId(spki);
    this.name = commonName(`Vedette sandbox ${this.id.toString('hex', 0, 4)}`);
    this.leafKeyPem = this.leafKey.key.export({ type: 'pkcs8', format: 'pem' }) as string;
    this.pem = certificate(
      {
        subject: this.name,
        issuer: this.name,
        spki,
        days: CA_DAYS,
        extensions: [
          extension(OID_BASIC_CONSTRAINTS, true, sequence(truth(true), integer(Buffer.of(0)))),
          // keyCertSign and cRLSign: bits 5 and 6.
          extension(OID_KEY_USAGE, true, bits(Buffer.of(0x06), 1)),
          extension(OID_SUBJECT_KEY, false, octets(this.id)),
        ],
      },
      key,
    );
  }

  /** An authority with a new key on P-256. */
  static make(): Authority {
    const { key, spki } = newKey();
    return new Authority(key, spki);
  }

  /** One with a key that exists: a PKCS#8 PEM. Throws when that is none. */
  static ofKey(pem: string): Authority {
    const key = createPrivateKey(pem);
    return new Authority(key, createPublicKey(key).export({ type: 'spki', format: 'der' }));
  }

  /** A certificate for one name or address, as PEM. */
  certificateFor(host: string): string {
    const san =
      isIP(host) === 0
        ? implicit(DNS_NAME, Buffer.from(host, 'latin1'))
        : implicit(IP_ADDRESS, addressBytes(host));
    return certificate(
      {
        // A common name has 64 characters at most (RFC 5280 A.1, ub-common-name); programs look at the other names.
        subject: commonName(host.slice(0, 64)),
        issuer: this.name,
        spki: this.leafKey.spki,
        days: LEAF_DAYS,
        extensions: [
          extension(OID_BASIC_CONSTRAINTS, true, sequence()),
          // digitalSignature: bit 0.
          extension(OID_KEY_USAGE, true, bits(Buffer.of(0x80), 7)),
          extension(OID_EXTENDED_KEY_USAGE, false, sequence(oid(OID_SERVER_AUTH))),
          extension(OID_SUBJECT_ALT_NAME, false, sequence(san)),
          extension(OID_SUBJECT_KEY, false, octets(keyId(this.leafKey.spki))),
          extension(OID_AUTHORITY_KEY, false, sequence(implicit(0, this.id))),
        ],
      },
      this.key,
    );
  }

  /** What a TLS server for `host` needs. */
  contextFor(host: string): SecureContext {
    let leaf = this.leaves.get(host);
    this.leaves.delete(host);
    if (leaf === undefined || Date.now() - leaf.madeAtMs > REMAKE_MS) {
      const context = createSecureContext({
        cert: this.certificateFor(host) + this.pem,
        key: this.leafKeyPem,
        // Guests show no certificates; without this all of Node.js's authorities are loaded, 6 ms each time.
        ca: this.pem,
      });
      leaf = { context, madeAtMs: Date.now() };
    }
    this.leaves.set(host, leaf);
    if (this.leaves.size > MOST_LEAVES) this.leaves.delete(this.leaves.keys().next().value!);
    return leaf.context;
  }
}
