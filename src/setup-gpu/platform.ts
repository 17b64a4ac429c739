/** Where the tensorflow engine can run at all. */

export interface Platform {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** Version of the GNU C library; undefined with another one, such as Alpine's musl. */
  readonly glibc: string | undefined;
}

/** A sentence when TensorFlow's libraries do not exist for this platform; undefined where they do. */
export function unsupportedPlatform({ platform, arch, glibc }: Platform): string | undefined {
  const instead = "the wasm engine works here, and the webgpu engine may: npm run setup:gpu -- --engine webgpu";
  if (platform !== "linux") {
    return `the tensorflow engine needs Linux on x86-64, this is ${platform} on ${arch}; ${instead}`;
  }
  if (arch !== "x64") return `the tensorflow engine needs an x86-64 processor, this is ${arch}; ${instead}`;
  if (glibc === undefined) {
    return `TensorFlow's libraries need the GNU C library, and this system has another one (Alpine's musl?); use an image with Debian or Ubuntu; ${instead}`;
  }
  return undefined;
}

/** What Node.js runs on. */
export function thisPlatform(): Platform {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: header?.glibcVersionRuntime };
}
