// Finds or makes the Temporal CLI as `npm start` does, and prints what was said and which file came out of it.
import { planTemporal, provideTemporal } from '../../local/temporal.mjs';

const said = [];
const say = (text) => said.push(text);
try {
  const plan = await planTemporal();
  say(plan.text);
  const path = await provideTemporal(plan, { step: { say }, log: process.argv[2] });
  console.log(JSON.stringify({ said, path }));
} catch (error) {
  console.log(JSON.stringify({ said, refusal: error.message }));
}
