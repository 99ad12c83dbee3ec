// `npm start` and `npm run status`: looks at the Node that runs it, before anything that needs a newer one is read.
import { nodeIsNewEnough } from './node-version.mjs';

if (nodeIsNewEnough()) import('./start-command.mjs').then(({ main }) => main(process.argv[2]));
