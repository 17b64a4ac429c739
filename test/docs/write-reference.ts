import { writeFileSync } from "node:fs";
import { REFERENCE, referenceText } from "./reference.ts";

/** `npm run reference`: writes docs/REFERENCE.md anew. */

writeFileSync(REFERENCE, await referenceText());
process.stdout.write(`wrote ${REFERENCE}\n`);
