// Secrets and their placeholders. Inside is the placeholder, outside and for named hosts only the value. An answer that holds the value
// gets the placeholder again, in the forms in which a server is likely to send back what it was sent.

import { randomBytes } from 'node:crypto';
import { meansHost } from './host_pattern.ts';
import { type Pattern, PatternSet } from './replacer.ts';

export interface SecretConfig {
  readonly name: string;
  /** Names of hosts, `*.NAME` for all below one; with `:PORT` there alone. */
  readonly hosts: readonly string[];
  readonly placeholder: string;
  readonly value: string;
}

/** All placeholders begin so: one search finds any of them. */
export const PLACEHOLDER_PREFIX = 'VEDETTE_SECRET_';
const PREFIX_BYTES = Buffer.from(PLACEHOLDER_PREFIX);

/** Shorter values stand in many texts by chance, and replacing them there would tell what they are. */
export const LEAST_VALUE_BYTES = 4;
export const MOST_VALUE_BYTES = 16_384;
export const MOST_SECRETS = 64;
/** Basic tokens that are known again in answers; the oldest is forgotten. */
const MOST_TOKENS = 64;

/** A new placeholder for secret `name`: 128 random bits, so that none is guessed, in letters that need no quoting anywhere. */
export function makePlaceholder(name: string): string {
  return `${PLACEHOLDER_PREFIX}${name}_${randomBytes(16).toString('hex')}`;
}

/** How a value is written where it stands. */
export type Form = 'raw' | 'percent' | 'json';

function written(value: string, form: Form): Buffer {
  if (form === 'percent')
    // RFC 3986 2.3: all but unreserved characters; encodeURIComponent leaves five more as they are.
    return Buffer.from(
      encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
    );
  return Buffer.from(form === 'json' ? JSON.stringify(value).slice(1, -1) : value);
}

/** The ways in which servers write back what they were sent. */
function likelyForms(value: string): Buffer[] {
  // Headers are bytes; many servers take them for Latin-1 and write them in UTF-8.
  const misread = Buffer.from(value).toString('latin1');
  const texts = [value, misread].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    // JSON in ASCII alone, as Python writes it.
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
    text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c] ?? '&quot;'),
    text.replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;' })[c] ?? '&#39;'),
  ]);
  const percent = written(value, 'percent').toString();
  // Forms that browsers and others leave less escaped, or write `+` for a space (URL Standard 5.1).
  texts.push(
    percent,
    encodeURIComponent(value),
    percent.replaceAll('%20', '+'),
    new URLSearchParams([['', value]]).toString().slice(1),
  );
  texts.push(percent.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()));
  const found = texts.map((text) => Buffer.from(text));
  if (/^[\0-\xff]*$/.test(value)) found.push(Buffer.from(value, 'latin1'));
  return found.filter((form) => form.length >= LEAST_VALUE_BYTES);
}

function masksOf(set: PatternSet): PatternSet {
  return new PatternSet(set.patterns.map(({ find }) => ({ find, put: Buffer.alloc(find.length, '*') })));
}

/** What a header or a path became: text, or why it may not go out. */
export type Replaced = string | { readonly refused: string };

/** The secrets as one host sees them. */
export class HostSecrets {
  private readonly own: readonly SecretConfig[];
  private readonly others: PatternSet;
  private readonly forms: Readonly<Record<Form, PatternSet>>;
  /** Values of headers with the value in them that the proxy made itself: base64 of "user:value". */
  private tokens: Pattern[] = [];
  private values: PatternSet;
  private sameLength: PatternSet;

  constructor(all: readonly SecretConfig[], host: string, port = 0) {
    const mine = (s: SecretConfig): boolean => s.hosts.some((pattern) => meansHost(pattern, host, port));
    this.own = all.filter(mine);
    this.others = new PatternSet(
      all
        .filter((s) => !mine(s))
        .map((s) => ({ find: Buffer.from(s.placeholder), put: Buffer.from(s.name) })),
    );
    const setOf = (form: Form): PatternSet =>
      new PatternSet(
        this.own.map((s) => ({ find: Buffer.from(s.placeholder), put: written(s.value, form) })),
      );
    this.forms = { raw: setOf('raw'), percent: setOf('percent'), json: setOf('json') };
    this.values = this.valuePatterns();
    this.sameLength = masksOf(this.values);
  }

  /** Whether this host has a secret at all. */
  get any(): boolean {
    return this.own.length > 0;
  }

  /** Placeholders to values. */
  outgoing(form: Form): PatternSet {
    return this.forms[form];
  }

  /** Values to placeholders. */
  incoming(): PatternSet {
    return this.values;
  }

  /** Values to as many bytes that tell nothing, where lengths must not change. */
  masks(): PatternSet {
    return this.sameLength;
  }

  /** Names of the secrets of this host whose placeholders stand in `text`. */
  namesIn(text: string): string[] {
    if (!text.includes(PLACEHOLDER_PREFIX)) return [];
    return this.own.filter((s) => text.includes(s.placeholder)).map((s) => s.name);
  }

  /** The name of a secret whose placeholder stands in `text` though it is not for this host, or null. */
  foreign(text: Buffer): string | null {
    return text.includes(PREFIX_BYTES) ? (this.others.foundIn(text)?.put.toString() ?? null) : null;
  }

  /** Placeholders of other hosts, whose replacement in a stream tells that one was there. */
  foreignPatterns(): PatternSet {
    return this.others;
  }

  /** The value of header `name` as it goes out. Text is a byte string, as Node.js has headers. */
  header(name: string, value: string): Replaced {
    const basic = /^(basic +)([A-Za-z0-9+/_=-]+) *$/i.exec(value);
    if (basic !== null) {
      const clear = Buffer.from(basic[2]!, 'base64');
      const foreign = this.foreign(clear);
      if (foreign !== null) return { refused: `secret ${foreign} is not for this host` };
      const put = this.forms.raw.replace(clear);
      if (put.equals(clear)) return value;
      const token = put.toString('base64');
      this.remember(token, basic[2]!);
      return basic[1]! + token;
    }
    return this.text(value, 'raw', `header ${name}`);
  }

  /** The request's path and query as they go out. */
  path(path: string): Replaced {
    return this.text(path, 'percent', 'the path');
  }

  private text(value: string, form: Form, where: string): Replaced {
    if (!value.includes(PLACEHOLDER_PREFIX)) return value;
    const bytes = Buffer.from(value, 'latin1');
    const foreign = this.foreign(bytes);
    if (foreign !== null) return { refused: `secret ${foreign} is not for this host` };
    const out = this.forms[form].replace(bytes).toString('latin1');
    // RFC 9110 5.5: no CR, LF, NUL. Said without the value.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(out))
      return { refused: `a secret in ${where} has a character that cannot stand there` };
    return out;
  }

  /** The value of a header, or another short text, of an answer. */
  answer(value: string): string {
    if (this.values.longest === 0) return value;
    return this.values.replace(Buffer.from(value, 'latin1')).toString('latin1');
  }

  private remember(token: string, guests: string): void {
    const find = Buffer.from(token);
    if (this.tokens.some((t) => t.find.equals(find))) return;
    if (this.tokens.length === MOST_TOKENS) this.tokens.shift();
    this.tokens.push({ find, put: Buffer.from(guests) });
    this.values = this.valuePatterns();
    this.sameLength = masksOf(this.values);
  }

  private valuePatterns(): PatternSet {
    const seen = new Set<string>();
    const patterns: Pattern[] = [];
    for (const s of this.own)
      for (const find of likelyForms(s.value)) {
        const key = find.toString('latin1');
        if (seen.has(key)) continue;
        seen.add(key);
        patterns.push({ find, put: Buffer.from(s.placeholder) });
      }
    const encoded = this.own.map((s) => ({
      find: Buffer.from(Buffer.from(s.value).toString('base64')),
      put: Buffer.from(Buffer.from(s.placeholder).toString('base64')),
    }));
    return new PatternSet([...patterns, ...encoded, ...this.tokens]);
  }
}
