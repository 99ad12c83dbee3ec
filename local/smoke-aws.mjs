// `npm run smoke:aws`: looks at the Node that runs it, before anything that needs a newer one is read.
import { nodeIsNewEnough } from './node-version.mjs';

if (nodeIsNewEnough()) import('./smoke-aws-command.mjs').then(({ main }) => main(process.argv.slice(2)));
