/**
 * Reads what a shared library for Linux says about itself: what it is for, what it needs, where it looks for that, and
 * which symbols it has. System V ABI, "Object Files"; 64-bit, little-endian.
 */

import { LockstepError } from "../shared/errors.ts";

/** Bytes of a file; fewer than asked for where it ends earlier. */
export type ReadBytes = (offset: number, length: number) => Buffer;

export interface SharedLibrary {
  /** "x86-64", "arm64", or the number in words. */
  readonly machine: string;
  /** Its own name, which whoever links it will look for: DT_SONAME. */
  readonly soname: string | undefined;
  /** DT_NEEDED: names of libraries. */
  readonly needed: readonly string[];
  /** DT_RUNPATH or DT_RPATH: folders in which these are looked for first, as they stand there. */
  readonly runpath: readonly string[];
  /** Names of sections: code for NVIDIA GPUs is in ".nv_fatbin". */
  readonly sections: ReadonlySet<string>;
  /** Dynamic symbols whose names begin with `prefix`; "undefined" are those that another library must have. */
  readonly symbols: (prefix: string, kind: "defined" | "undefined") => string[];
}

const MACHINES: Readonly<Record<number, string>> = { 3: "x86 (32 bits)", 62: "x86-64", 183: "arm64" };
const SHARED_OBJECT = 3;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const DYNAMIC_BYTES = 16;
const SECTION_TYPES = { dynamic: 6, dynamicSymbols: 11 } as const;
const TAGS = { needed: 1, soname: 14, rpath: 15, runpath: 29 } as const;

interface Section {
  readonly name: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** For symbols and the dynamic section: index of the section with their names. */
  readonly link: number;
}

/**
 * @param name of the file, for messages
 * @throws LockstepError ("failed") when it is no such library, or damaged
 */
export function readSharedLibrary(name: string, read: ReadBytes): SharedLibrary {
  try {
    return readTables(name, read);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new LockstepError("failed", `${name} is damaged: its tables make no sense; get it again`, { cause: error });
  }
}

function readTables(name: string, read: ReadBytes): SharedLibrary {
  const header = read(0, 64);
  if (header.length < 20 || header.readUInt32BE(0) !== 0x7f454c46) {
    throw new LockstepError("failed", `${name} is not a shared library for Linux: it does not begin with "\\x7fELF"`);
  }
  const machine = MACHINES[header.readUInt16LE(18)] ?? `machine ${header.readUInt16LE(18)}`;
  if (header[4] !== 2 || header[5] !== 1) return emptyLibrary(`${machine}, not 64-bit little-endian`);
  const type = header.readUInt16LE(16);
  if (type !== SHARED_OBJECT) {
    throw new LockstepError("failed", `${name} is not a shared library but another ELF file, of type ${type}`);
  }
  const bytes = (offset: number, length: number): Buffer => {
    const part = read(offset, length);
    if (part.length === length) return part;
    throw new LockstepError("failed", `${name} is damaged: it ends before byte ${offset + length}; get it again`);
  };
  const sections = readSections(bytes, header, name);
  const table = (section: Section | undefined): Buffer =>
    section === undefined ? Buffer.alloc(0) : bytes(section.offset, section.size);

  const sectionNames = table(sections[header.readUInt16LE(62)]);
  const dynamic = sections.find(({ type: each }) => each === SECTION_TYPES.dynamic);
  const texts = dynamicTexts(table(dynamic), table(dynamic && sections[dynamic.link]));
  const runpath = texts(TAGS.runpath)[0] ?? texts(TAGS.rpath)[0] ?? "";
  const symbols = sections.find(({ type: each }) => each === SECTION_TYPES.dynamicSymbols);
  return {
    machine,
    soname: texts(TAGS.soname)[0],
    needed: texts(TAGS.needed),
    runpath: runpath.split(":").filter((folder) => folder !== ""),
    sections: new Set(sections.map((section) => textAt(sectionNames, section.name))),
    symbols: (prefix, kind) => namesOf(table(symbols), table(symbols && sections[symbols.link]), prefix, kind),
  };
}

function emptyLibrary(machine: string): SharedLibrary {
  return { machine, soname: undefined, needed: [], runpath: [], sections: new Set(), symbols: () => [] };
}

function readSections(bytes: (offset: number, length: number) => Buffer, header: Buffer, name: string): Section[] {
  const offset = Number(header.readBigUInt64LE(40));
  const count = header.readUInt16LE(60);
  if (count > 0 && header.readUInt16LE(58) !== SECTION_BYTES) {
    throw new LockstepError("failed", `${name} is damaged: its section table makes no sense; get it again`);
  }
  const table = bytes(offset, count * SECTION_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const at = index * SECTION_BYTES;
    return {
      name: table.readUInt32LE(at),
      type: table.readUInt32LE(at + 4),
      offset: Number(table.readBigUInt64LE(at + 24)),
      size: Number(table.readBigUInt64LE(at + 32)),
      link: table.readUInt32LE(at + 40),
    };
  });
}

function dynamicTexts(entries: Buffer, names: Buffer): (tag: number) => string[] {
  const texts: { tag: number; text: string }[] = [];
  for (let at = 0; at + DYNAMIC_BYTES <= entries.length; at += DYNAMIC_BYTES) {
    const tag = Number(entries.readBigInt64LE(at));
    const isText = Object.values(TAGS).some((each) => each === tag);
    if (isText) texts.push({ tag, text: textAt(names, Number(entries.readBigUInt64LE(at + 8))) });
  }
  return (tag) => texts.filter((each) => each.tag === tag).map(({ text }) => text);
}

/** Of hundreds of thousands of symbols few are asked for: names are compared as bytes before they become text. */
function namesOf(symbols: Buffer, names: Buffer, prefix: string, kind: "defined" | "undefined"): string[] {
  const wanted = Buffer.from(prefix);
  const found: string[] = [];
  for (let at = 0; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
    const name = symbols.readUInt32LE(at);
    const isDefined = symbols.readUInt16LE(at + 6) !== 0;
    if (isDefined !== (kind === "defined") || name + wanted.length > names.length) continue;
    if (names.compare(wanted, 0, wanted.length, name, name + wanted.length) === 0) found.push(textAt(names, name));
  }
  return found;
}

function textAt(table: Buffer, offset: number): string {
  const end = table.indexOf(0, offset);
  return table.toString("utf8", offset, end === -1 ? table.length : end);
}
