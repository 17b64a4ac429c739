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
    constructor(descriptor: { readonly initial: number; readonly maximum?: number });
    /** Replaced by a new object, and the old one detached, whenever the memory grows. */
    readonly buffer: ArrayBuffer;
    /** Adds pages of 64 KiB. @returns the number of pages before */
    grow(pages: number): number;
  }

  class Instance {
    constructor(module: Module, imports?: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
