/**
 * Keys as text, which is how they lie in files. Pure.
 *
 * A public key is a line, `PUBLICKEY NAME`: 64 hexadecimal digits, and what people call its owner. A file of such lines is
 * a list of those who may come in. A secret key is 64 digits after the word `secret-key`, so that nobody mistakes one for
 * the other. Comments start with `#`.
 */

/** A public key of Curve25519 (RFC 7748), which says who somebody is. */
export interface PublicKey {
  /** 64 lower-case hexadecimal digits. */
  readonly hex: string;
  /** For people; may be empty. */
  readonly name: string;
}

/** Key lines, or a sentence without a subject about the first bad one. */
export type ParsedKeys = { readonly keys: readonly PublicKey[] } | { readonly problem: string };

const PUBLIC_LINE = /^(?<hex>[\da-f]{64})(?:[ \t]+(?<name>.*))?$/i;
const SECRET_LINE = /^secret-key[ \t]+(?<hex>[\da-f]{64})$/i;

export function publicKeysOf(content: string): ParsedKeys {
  const keys: PublicKey[] = [];
  for (const { line, number } of linesOf(content)) {
    if (SECRET_LINE.test(line)) return { problem: `holds a secret key in line ${number}, where public ones belong` };
    const { hex, name = "" } = PUBLIC_LINE.exec(line)?.groups ?? {};
    if (hex === undefined)
      return { problem: `has no public key in line ${number}: 64 hexadecimal digits, then a name` };
    keys.push({ hex: hex.toLowerCase(), name: printable(name) });
  }
  return { keys };
}

/** The 64 digits of the only secret key, or a sentence without a subject. Never says what it has found. */
export function secretKeyOf(content: string): { readonly hex: string } | { readonly problem: string } {
  const lines = linesOf(content);
  const secrets = lines.flatMap(({ line }) => SECRET_LINE.exec(line)?.groups?.hex ?? []);
  const [hex] = secrets;
  if (hex !== undefined && lines.length === 1) return { hex: hex.toLowerCase() };
  if (lines.length > 0 && lines.every(({ line }) => PUBLIC_LINE.test(line))) {
    return { problem: "holds a public key, where a secret one belongs: its name should end in .key" };
  }
  return { problem: "is not a secret key: one line is expected, secret-key and 64 hexadecimal digits" };
}

export function publicKeyLine({ hex, name }: PublicKey): string {
  return `${hex} ${name}\n`;
}

export function secretKeyText(hex: string, name: string): string {
  return `# The secret key of ${name}. Whoever has it can pass for ${name}: keep it to yourself.\nsecret-key ${hex}\n`;
}

const NAME = /^[\w.-]{1,64}$/;

/** Whether this is fit for a name: of a key, and of the files that hold it. */
export function isKeyName(name: string): boolean {
  return NAME.test(name) && !name.startsWith(".");
}

function linesOf(content: string): { line: string; number: number }[] {
  return content
    .split(/\r?\n/)
    .map((raw, i) => ({ line: raw.replace(/#.*$/, "").trim(), number: i + 1 }))
    .filter(({ line }) => line !== "");
}

/** Names go to terminals and logs. */
function printable(name: string): string {
  return name
    .trim()
    .replaceAll(/\p{Cc}/gu, " ")
    .slice(0, 64);
}
