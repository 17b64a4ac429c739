/** Where the dynamic linker finds shared libraries. Pure; see ld.so(8). */

/** The names of the files in a folder. */
export interface Listing {
  readonly folder: string;
  readonly names: readonly string[];
}

export interface FoundLibrary {
  readonly soname: string;
  readonly folder: string;
}

/**
 * Looks for libraries by name.
 * @param listings in the order in which the linker looks through them
 */
export function findLibraries(
  sonames: readonly string[],
  listings: readonly Listing[],
): { readonly found: readonly FoundLibrary[]; readonly missing: readonly string[] } {
  const found: FoundLibrary[] = [];
  const missing: string[] = [];
  for (const soname of sonames) {
    const listing = listings.find(({ names }) => names.includes(soname));
    if (listing === undefined) missing.push(soname);
    else found.push({ soname, folder: listing.folder });
  }
  return { found, missing };
}

/** The 64-bit libraries of the linker's cache, by folder: what `ldconfig -p` prints. */
export function parseLinkerCache(text: string): Listing[] {
  const folders = new Map<string, string[]>();
  // "	libcudart.so.12 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.12"
  for (const [, soname = "", folder = ""] of text.matchAll(/^\s*(\S+) \([^)]*\bx86-64\b[^)]*\) => (\/.*)\/[^/]+$/gm)) {
    const names = folders.get(folder);
    if (names === undefined) folders.set(folder, [soname]);
    else names.push(soname);
  }
  return Array.from(folders, ([folder, names]) => ({ folder, names }));
}

/** Folders of a RUNPATH, in which `$ORIGIN` stands for the library's own folder. Relative ones are left out. */
export function runpathFolders(runpath: readonly string[], origin: string): string[] {
  return runpath.map((each) => each.replace(/\$\{?ORIGIN\}?/, origin)).filter((each) => each.startsWith("/"));
}

/** Folders of LD_LIBRARY_PATH. */
export function pathFolders(variable: string | undefined): string[] {
  return (variable ?? "").split(/[:;]/).filter((each) => each.startsWith("/"));
}
