/**
 * The part of the WebAssembly JavaScript interface that lockstep uses. TypeScript declares it only in its "dom" library,
 * which would also make browser globals look present, and @types/node 20 does not declare it.
 * Source: https://webassembly.github.io/spec/js-api/
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
  }

  class Memory {
    constructor(descriptor: { readonly initial: number; readonly maximum?: number; readonly shared?: boolean });
    /**
     * Replaced by a new object whenever the memory grows. The old one is detached; that of a shared memory, a
     * SharedArrayBuffer, stays, with its old length.
     */
    readonly buffer: ArrayBufferLike;
    /** Adds pages of 64 KiB. @returns the number of pages before */
    grow(pages: number): number;
  }

  class Instance {
    constructor(module: Module, imports?: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
