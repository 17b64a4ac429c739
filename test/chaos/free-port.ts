import { once } from "node:events";
import { createServer } from "node:net";

/** A port of this machine that nobody listens on just now, for a coordinator that must come back to where it was. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("a tcp server has no port");
  server.close();
  await once(server, "close");
  return address.port;
}
