// Prints "N passed, N failed, N skipped" from the JSON that vitest wrote; exit code 1 unless all passed.
import { readFileSync } from "node:fs";

const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
  readFileSync(process.argv[2], "utf8"),
);
// A file that cannot be loaded has no tests to fail.
const brokenFiles = testResults.filter(
  ({ status, assertionResults }) =>
    status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed"),
);
for (const { name, message } of brokenFiles) console.error(`${name}: ${message}`);
const failed = numFailedTests + brokenFiles.length;
const skipped = numPendingTests + numTodoTests;
console.log(`${numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = numPassedTests > 0 && failed === 0 && skipped === 0 ? 0 : 1;
