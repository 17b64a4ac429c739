import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Ports that systems do not give out by themselves: whoever asks for any port, as other tests do meanwhile, gets none. */
const [FIRST, END] = [20_000, 32_000];

/** A port of this machine that nobody listens on just now, for a process that must come back to where it was. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
