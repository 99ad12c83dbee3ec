// Writes how many tests passed and failed to the file that `npm test` names.
import { writeFileSync } from 'node:fs';

export default class CountsReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.FERMATA_TEST_COUNTS;
    if (!file) return;
    // A test file that could not even be run counts as one failure.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    writeFileSync(file, JSON.stringify({ passed: results.numPassedTests, failed }));
  }
}
