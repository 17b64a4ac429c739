import { performance } from "node:perf_hooks";
import { Command, InvalidArgumentError } from "commander";
import { formatCount } from "../../src/shared/format.ts";
import { attackedFleet } from "./attacked-fleet.ts";
import { FILE_PROPERTIES } from "./file-properties.ts";
import { MESSAGE_PROPERTIES, tally } from "./message-properties.ts";

/**
 * `npm run fuzz`: what `npm test` checks with ten thousand cases, with a million or for a whole night. A case that is not
 * borne is made as small as possible and shown with its seed, and the exit code is 1.
 */

const options = new Command("fuzz")
  .description("sends what is nearly a message, and files that are nearly right, to whatever reads them")
  .option("--cases <N>", "cases in all", whole, 1_000_000)
  .option("--seed <N>", "decides the cases", whole, Math.trunc(Math.random() * 2 ** 31))
  .option("--minutes <N>", "goes on for so long instead, as at night", whole)
  .option("--attack-minutes <N>", "then attacks the port of a real coordinator for so long; 0: does not", whole, 0)
  .allowExcessArguments(false)
  .parse()
  .opts<{ readonly cases: number; readonly seed: number; readonly minutes?: number; readonly attackMinutes: number }>();

/** Cases between two looks at the time: a property's failure is told with the seed of so many. */
const ROUND = 20_000;

const properties = [...MESSAGE_PROPERTIES, ...FILE_PROPERTIES];
const beganAt = performance.now();
const minutes = (): number => (performance.now() - beganAt) / 60_000;
let [cases, rounds] = [0, 0];
while (options.minutes === undefined ? cases < options.cases : minutes() < options.minutes) {
  const size = options.minutes === undefined ? Math.min(ROUND, options.cases - cases) : ROUND;
  for (const property of properties) {
    try {
      const some = Math.ceil(size * property.share);
      property.check(some, (options.seed + rounds) % 2 ** 31);
      cases += some;
    } catch (thrown) {
      process.stderr.write(`${property.name}: NOT BORNE\n${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
      process.stdout.write(`fuzz: failed after ${formatCount(cases)} cases, seed ${options.seed}\n`);
      process.exit(1);
    }
  }
  rounds += 1;
}
const { taken, refused } = tally;
process.stdout.write(
  `fuzz: ${formatCount(cases)} cases of ${properties.length} properties borne in ${minutes().toFixed(1)} minutes: ` +
    `${formatCount(refused)} messages refused, ${formatCount(taken)} taken; seed ${options.seed}\n`,
);
if (options.attackMinutes > 0) {
  const endured = await attackedFleet(options.seed, options.attackMinutes * 60_000);
  const sent = Object.entries(endured.sent).map(([name, count]) => `${formatCount(count)} ${name}`);
  process.stdout.write(
    `fuzz: a coordinator bore ${endured.rounds} rounds of attacks (${sent.join(", ")}): ` +
      `${endured.megabytesBefore.toFixed(0)} MB before, ${endured.megabytesAtMost.toFixed(0)} MB at most; ` +
      `${endured.filesBefore} open files before, ${endured.filesAfter} after; seed ${options.seed}\n`,
  );
}

function whole(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("It must be a whole number.");
}
