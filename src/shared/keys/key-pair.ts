import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";

/**
 * Key pairs of CurveZMQ (ZeroMQ RFC 26): plain Curve25519 keys, 32 bytes each, as 64 hexadecimal digits here.
 */
export interface KeyPair {
  readonly publicHex: string;
  readonly secretHex: string;
}

/** What DER puts before the 32 bytes of an X25519 private key in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const KEY_BYTES = 32;

/** A new pair, from the operating system's random numbers. */
export function newKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync("x25519");
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  return keyPairOf(der.subarray(-KEY_BYTES).toString("hex"));
}

/** The pair that a secret key belongs to: the public one follows from it. */
export function keyPairOf(secretHex: string): KeyPair {
  const der = Buffer.concat([PKCS8_PREFIX, Buffer.from(secretHex, "hex")]);
  const secret = createPrivateKey({ key: der, type: "pkcs8", format: "der" });
  const spki = createPublicKey(secret).export({ type: "spki", format: "der" });
  return { secretHex, publicHex: spki.subarray(-KEY_BYTES).toString("hex") };
}
