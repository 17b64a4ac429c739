import { join } from "node:path";
import type { KeygenConfig } from "../shared/config.ts";
import { LockstepError } from "../shared/errors.ts";
import { readPublicKeys, readSecretKey, rereadPublicKeys, writeNewFile } from "../shared/keys/key-files.ts";
import { newKeyPair } from "../shared/keys/key-pair.ts";
import { publicKeyLine, secretKeyText } from "../shared/keys/key-text.ts";
import { shellWord } from "../shared/shell-word.ts";
import { TextOutput } from "../shared/text-output.ts";

const PRIVATE = 0o600;
const PUBLIC = 0o644;

/** `lockstep keygen`: keys for a coordinator and its workers, or one pair more. @returns the exit code */
export function keygenCommand(config: KeygenConfig): Promise<number> {
  const out = new TextOutput(process.stdout);
  const say = (line: string): void => {
    if (!config.quiet) out.line(line);
  };
  const { keys: folder, name } = config;
  if (name === undefined) makeSet(folder, say);
  else makeOne(folder, name, say);
  return Promise.resolve(0);
}

/** What a fleet needs: one key for the coordinator, and one that all workers share until they get their own. */
function makeSet(folder: string, say: (line: string) => void): void {
  makePair(folder, "coordinator", say);
  const line = makePair(folder, "worker", say);
  const list = join(folder, "workers.allow");
  const about = "# Who may join: PUBLICKEY NAME, a line each. Read anew whenever it changes.\n";
  const isNew = writeNewFile(list, about + line, PUBLIC);
  say(`${isNew ? "made" : "kept"} ${list}`);
  const path = (file: string): string => shellWord(join(folder, file));
  if (!isNew && !rereadPublicKeys(list, "the list").some(({ hex }) => line.startsWith(hex))) {
    say(`worker.pub is not in that list; to let it in: cat ${path("worker.pub")} >> ${path("workers.allow")}`);
  }
  say("");
  say(
    "The coordinator's machine needs coordinator.key and workers.allow, each worker's worker.key and coordinator.pub:",
  );
  say(
    `  lockstep coordinator --listen tcp://0.0.0.0:5555 --key ${path("coordinator.key")} --allow ${path("workers.allow")}`,
  );
  say(
    `  lockstep worker --connect tcp://HOST:5555 --key ${path("worker.key")} --coordinator-key ${path("coordinator.pub")}`,
  );
}

function makeOne(folder: string, name: string, say: (line: string) => void): void {
  makePair(folder, name, say);
  const path = (file: string): string => shellWord(join(folder, file));
  say(`A coordinator lets it in after: cat ${path(`${name}.pub`)} >> ${path("workers.allow")}`);
}

/** @returns the public key's line */
function makePair(folder: string, name: string, say: (line: string) => void): string {
  const [secretPath, publicPath] = [join(folder, `${name}.key`), join(folder, `${name}.pub`)];
  const made = newKeyPair();
  const isNew = writeNewFile(secretPath, secretKeyText(made.secretHex, name), PRIVATE);
  say(`${isNew ? "made" : "kept"} ${secretPath}`);
  const { publicHex } = isNew ? made : readSecretKey(secretPath, "the secret key");
  const line = publicKeyLine({ hex: publicHex, name });
  // One that was lost follows from the secret key.
  const isMissing = writeNewFile(publicPath, line, PUBLIC);
  say(`${isMissing ? "made" : "kept"} ${publicPath}`);
  // Looked at each time: whoever made the secret key anew may not have heard of it.
  if (!isMissing && !readPublicKeys(publicPath, "the public key").some(({ hex }) => hex === publicHex)) {
    const message = `${publicPath} is not of the secret key ${secretPath}: delete ${publicPath}, and run this again`;
    throw new LockstepError("usage", message);
  }
  return line;
}
