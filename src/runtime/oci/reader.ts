// Checked reading of JSON: each value is asked for with what it has to be, and a complaint names its path and the fix.

/** Something wrong in a document that was given: for the person who wrote it. */
export class SpecError extends Error {}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A value of a JSON document and where it stands. Absent values and null are the same, as Go's encoding/json has it. */
export class Reader {
  readonly path: string;
  private readonly value: unknown;

  constructor(value: unknown, path: string) {
    this.value = value ?? undefined;
    this.path = path;
  }

  get present(): boolean {
    return this.value !== undefined;
  }

  /** There is something that says more than its being left out would. */
  get isSet(): boolean {
    const { value } = this;
    if (Array.isArray(value)) return value.length > 0;
    if (typeof value === 'object' && value !== null) return this.names().some((name) => this.at(name).isSet);
    return value !== undefined && value !== 0 && value !== false && value !== '';
  }

  wrong(what: string, fix: string): never {
    throw new SpecError(`${this.path}: ${what}; fix: ${fix}`);
  }

  private mustBe(what: string): never {
    if (!this.present) this.wrong('missing', `add it: ${what}`);
    this.wrong(`is ${kindOf(this.value)}`, what);
  }

  /** A member of an object; of an absent object, an absent one. */
  at(name: string): Reader {
    const path = `${this.path}.${name}`;
    if (!this.present) return new Reader(undefined, path);
    if (kindOf(this.value) !== 'an object') this.mustBe('an object');
    const own = Object.hasOwn(this.value as object, name);
    return new Reader(own ? (this.value as Record<string, unknown>)[name] : undefined, path);
  }

  /** Names of the members of an object; none when it is absent. */
  names(): string[] {
    if (!this.present) return [];
    if (kindOf(this.value) !== 'an object') this.mustBe('an object');
    return Object.keys(this.value as object);
  }

  string(): string {
    if (typeof this.value !== 'string') this.mustBe('a string');
    if (this.value.includes('\0')) this.wrong('holds a NUL', 'a text without it');
    return this.value;
  }

  stringOr<T>(other: T): string | T {
    return this.present ? this.string() : other;
  }

  absolutePath(): string {
    const path = this.string();
    if (!path.startsWith('/')) this.wrong(`${JSON.stringify(path)} is relative`, 'an absolute path');
    return path;
  }

  boolean(): boolean {
    if (!this.present) return false;
    if (typeof this.value !== 'boolean') this.mustBe('true or false');
    return this.value;
  }

  integer(least: number, most: number): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isInteger(value)) this.mustBe('a whole number');
    if (value < least || value > most) this.wrong(`${value} is out of range`, `${least} to ${most}`);
    return value;
  }

  integerOr<T>(least: number, most: number, other: T): number | T {
    return this.present ? this.integer(least, most) : other;
  }

  /** The elements of a list, each read by `each`; none when it is absent. */
  list<T>(each: (r: Reader) => T): T[] {
    if (!this.present) return [];
    if (!Array.isArray(this.value)) this.mustBe('a list');
    return this.value.map((v, i) => each(new Reader(v, `${this.path}[${i}]`)));
  }

  strings(): string[] {
    return this.list((r) => r.string());
  }

  /** An object of strings. */
  stringMap(): Record<string, string> {
    const map: Record<string, string> = Object.create(null);
    for (const name of this.names()) map[name] = this.at(name).string();
    return map;
  }
}

/** The reader of a document's text; `name` is what complaints call it. */
export function readJson(text: string, name: string): Reader {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SpecError(`${name}: no JSON (${(error as Error).message}); fix: a valid document`);
  }
  if (kindOf(value) !== 'an object') throw new SpecError(`${name}: is ${kindOf(value)}; fix: an object`);
  return new Reader(value, name);
}
