/** A word as one would type it: quoted where a shell would take it apart. */
export function shellWord(word: string): string {
  return /^[\w./@:+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
