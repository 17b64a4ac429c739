/**
 * Looks through the bytes of a header before anything is made of them: the least of MessagePack
 * (https://github.com/msgpack/msgpack/blob/master/spec.md) that headers need is allowed, and nothing else. A decoder
 * that believes what lengths claim, or builds what nesting asks for, never sees either. Pure.
 */

/** How much of MessagePack a header may use. */
export interface HeaderLimits {
  /** Maps and lists within each other, the header itself included. */
  readonly depth: number;
  /** Values in all, keys not counted. */
  readonly values: number;
  /** Bytes of a key. */
  readonly keyBytes: number;
}

/** Far more than any message has fields. */
const MAX_FIELDS = 32;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * What is wrong with a header's bytes, in words that complete "the header ..."; undefined when they are one map of maps,
 * lists, numbers, texts in UTF-8 and truth values, whose keys are Latin letters and differ within each map.
 */
export function headerProblem(bytes: Uint8Array, limits: HeaderLimits): string | undefined {
  const scan = new Scan(bytes, limits);
  const kind = bytes[0] ?? 0;
  if (bytes.byteLength > 0 && !isMap(kind)) return `is not valid: it begins with byte ${hex(kind)}, which is no map`;
  scan.value(1);
  if (scan.problem === undefined && scan.at < bytes.byteLength) {
    return `is not msgpack: ${bytes.byteLength - scan.at} bytes follow it`;
  }
  return scan.problem;
}

const isMap = (kind: number): boolean => (kind & 0xf0) === 0x80 || kind === 0xde || kind === 0xdf;

/** One pass over a header's bytes; after the first problem nothing more is looked at. */
class Scan {
  at = 0;
  problem: string | undefined;
  readonly #bytes: Uint8Array;
  readonly #limits: HeaderLimits;
  #values = 0;
  /** Where the keys of the maps around begin. */
  readonly #keys: number[] = [];

  constructor(bytes: Uint8Array, limits: HeaderLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  /** @param depth of the value, if it is a map or a list */
  value(depth: number): void {
    this.#values += 1;
    if (this.#values > this.#limits.values) return this.#fail(`has more than ${this.#limits.values} values`);
    const kind = this.#byte();
    if (kind < 0x80 || kind >= 0xe0) return;
    if (kind < 0x90) return this.#map(kind & 0x0f, depth);
    if (kind < 0xa0) return this.#list(kind & 0x0f, depth);
    if (kind < 0xc0) return this.#text(kind & 0x1f);
    switch (kind) {
      case 0xc2:
      case 0xc3:
        return;
      case 0xcb:
        // Whole numbers beyond 32 bits, and shares; what else they may be, the message's schema refuses.
        return this.#double();
      case 0xcc:
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xcf:
      case 0xd3:
        return this.#skip(8);
      case 0xd9:
        return this.#text(this.#length(1));
      case 0xda:
        return this.#text(this.#length(2));
      case 0xdb:
        return this.#text(this.#length(4));
      case 0xdc:
        return this.#list(this.#length(2), depth);
      case 0xdd:
        return this.#list(this.#length(4), depth);
      case 0xde:
        return this.#map(this.#length(2), depth);
      case 0xdf:
        return this.#map(this.#length(4), depth);
      default:
        return this.#fail(`is not msgpack that this protocol allows: it has a value of kind ${hex(kind)}`);
    }
  }

  #map(fields: number, depth: number): void {
    // A field has two bytes at least: what claims more is not believed.
    if (!this.#mayHold(fields, 2, depth)) return;
    if (fields > MAX_FIELDS) return this.#fail(`has a map of ${fields} fields, at most ${MAX_FIELDS} are allowed`);
    const firstKey = this.#keys.length;
    for (let field = 0; field < fields && this.problem === undefined; field++) {
      this.#key(firstKey);
      if (this.problem === undefined) this.value(depth + 1);
    }
    this.#keys.length = firstKey;
  }

  #list(entries: number, depth: number): void {
    if (!this.#mayHold(entries, 1, depth)) return;
    for (let entry = 0; entry < entries && this.problem === undefined; entry++) this.value(depth + 1);
  }

  #mayHold(entries: number, bytesEach: number, depth: number): boolean {
    if (this.problem !== undefined) return false;
    if (depth > this.#limits.depth) this.#fail(`has more than ${this.#limits.depth} maps and lists within each other`);
    else if (entries * bytesEach > this.#left) this.#cutShort();
    return this.problem === undefined;
  }

  /** @param firstKey of the map, among `#keys` */
  #key(firstKey: number): void {
    const kind = this.#byte();
    const length = kind >= 0xa0 && kind < 0xc0 ? kind & 0x1f : kind === 0xd9 ? this.#length(1) : Infinity;
    if (this.problem !== undefined) return;
    if (length === 0 || length > this.#limits.keyBytes) {
      return this.#fail(`has a key that is no text of 1 to ${this.#limits.keyBytes} bytes`);
    }
    if (length > this.#left) return this.#cutShort();
    const start = this.at;
    this.at += length;
    for (let i = start; i < this.at; i++) {
      const letter = this.#bytes[i]! | 0x20;
      if (letter < 0x61 || letter > 0x7a) return this.#fail("has a key that consists of more than Latin letters");
    }
    for (let key = firstKey; key < this.#keys.length; key++) {
      if (this.#isSame(this.#keys[key]!, start, length)) return this.#fail("has a map with the same key twice");
    }
    this.#keys.push(start);
  }

  /** Whether a key is that of `length` bytes at `start`; the byte before each is the end of what tells its length. */
  #isSame(other: number, start: number, length: number): boolean {
    const bytes = this.#bytes;
    if ((bytes[other - 1]! & 0x1f) !== (bytes[start - 1]! & 0x1f)) return false;
    for (let i = 0; i < length; i++) if (bytes[other + i] !== bytes[start + i]) return false;
    return true;
  }

  #text(length: number): void {
    if (this.problem !== undefined) return;
    if (length > this.#left) return this.#cutShort();
    const start = this.at;
    this.at += length;
    for (let i = start; i < this.at; i++) if (this.#bytes[i]! > 0x7f) return this.#unicode(start, this.at);
  }

  #unicode(start: number, end: number): void {
    try {
      UTF8.decode(this.#bytes.subarray(start, end));
    } catch {
      this.#fail("has a text that is not UTF-8");
    }
  }

  /** Minus zero is equal to zero and yet not the same. */
  #double(): void {
    const start = this.at;
    this.#skip(8);
    if (this.problem !== undefined || this.#bytes[start] !== 0x80) return;
    for (let i = start + 1; i < this.at; i++) if (this.#bytes[i] !== 0) return;
    this.#fail("has a number that is minus zero");
  }

  #byte(): number {
    if (this.#left < 1) this.#cutShort();
    const byte = this.#bytes[this.at] ?? 0;
    this.at += 1;
    return byte;
  }

  /** A number of so many bytes, the highest first. */
  #length(bytes: number): number {
    let length = 0;
    for (let i = 0; i < bytes; i++) length = length * 256 + this.#byte();
    return length;
  }

  #skip(bytes: number): void {
    if (bytes > this.#left) this.#cutShort();
    this.at += bytes;
  }

  get #left(): number {
    return this.#bytes.byteLength - this.at;
  }

  #cutShort(): void {
    this.#fail("is not msgpack: it ends within a value, or claims more than it has");
  }

  #fail(problem: string): void {
    this.problem ??= problem;
  }
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}
