/** Makes a shared library of a few hundred bytes, which nothing can load but which says about itself what real ones do. */

export interface TinyElf {
  readonly machine?: number;
  readonly type?: number;
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly runpath?: string;
  readonly defined?: readonly string[];
  readonly undefined?: readonly string[];
  /** Names of further, empty sections. */
  readonly sections?: readonly string[];
}

export function tinyElf(options: TinyElf): Buffer {
  const { machine = 62, type = 3, soname, needed = [], runpath, defined = [], sections = [] } = options;
  const names = new Texts();
  const symbols = Buffer.concat([
    Buffer.alloc(24),
    ...defined.map((name) => symbol(names.add(name), 7)),
    ...(options.undefined ?? []).map((name) => symbol(names.add(name), 0)),
  ]);
  const dynamic = Buffer.concat([
    ...needed.map((name) => entry(1, names.add(name))),
    ...(soname === undefined ? [] : [entry(14, names.add(soname))]),
    ...(runpath === undefined ? [] : [entry(29, names.add(runpath))]),
    entry(0, 0),
  ]);
  const titles = new Texts();
  const tables = [
    { name: ".dynsym", type: 11, link: 2, bytes: symbols },
    { name: ".dynstr", type: 3, link: 0, bytes: names.bytes() },
    { name: ".dynamic", type: 6, link: 2, bytes: dynamic },
    ...sections.map((name) => ({ name, type: 1, link: 0, bytes: Buffer.alloc(0) })),
  ].map((table) => ({ ...table, title: titles.add(table.name) }));
  const title = titles.add(".shstrtab");
  const all = [...tables, { type: 3, link: 0, bytes: titles.bytes(), title }];

  const headers: Buffer[] = [Buffer.alloc(64)];
  let offset = 64;
  for (const table of all) {
    headers.push(sectionHeader(table, offset));
    offset += table.bytes.length;
  }
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(type, 16);
  header.writeUInt16LE(machine, 18);
  header.writeBigUInt64LE(BigInt(offset), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(headers.length, 60);
  header.writeUInt16LE(headers.length - 1, 62);
  return Buffer.concat([header, ...all.map(({ bytes }) => bytes), ...headers]);
}

class Texts {
  #text = "\0";
  add(text: string): number {
    const at = this.#text.length;
    this.#text += `${text}\0`;
    return at;
  }
  bytes(): Buffer {
    return Buffer.from(this.#text, "latin1");
  }
}

function symbol(name: number, section: number): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(name, 0);
  bytes.writeUInt16LE(section, 6);
  return bytes;
}

function entry(tag: number, value: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(tag), 0);
  bytes.writeBigUInt64LE(BigInt(value), 8);
  return bytes;
}

function sectionHeader(table: { title: number; type: number; link: number; bytes: Buffer }, offset: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(table.title, 0);
  bytes.writeUInt32LE(table.type, 4);
  bytes.writeBigUInt64LE(BigInt(offset), 24);
  bytes.writeBigUInt64LE(BigInt(table.bytes.length), 32);
  bytes.writeUInt32LE(table.link, 40);
  return bytes;
}
