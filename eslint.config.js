// What each room of the house may import, and the rules that keep workflows deterministic and promises awaited.
import tseslint from 'typescript-eslint';

const rooms = {
  domain: [],
  operations: ['domain'],
  config: ['domain'],
  workflows: ['domain'],
  clients: ['domain', 'config'],
  store: ['domain', 'clients'],
  service: ['domain', 'operations', 'clients', 'store', 'config', 'workflows/messages.ts'],
  activities: ['domain', 'operations', 'clients', 'store', 'service'],
  api: ['service', 'config', 'operations', 'domain'],
  worker: ['domain', 'operations', 'config', 'workflows', 'activities', 'clients', 'store', 'service'],
  local: ['config'],
};
/** Where every package is closed but these. */
const packages = {
  domain: [],
  operations: ['zod$'],
  config: ['zod$', 'node:'],
  workflows: ['@temporalio/workflow$', '@temporalio/common$'],
};
/** What opens a connection belongs to `clients/`; the others may name its types. */
const CONNECTING = '^(@aws-sdk/|pg$|pg/|drizzle-orm/node-postgres$|ssh2$|node-ssh$)';
const CODE = '{ts,mts,cts,tsx,js,mjs,cjs}';

/** A relative import that goes through this folder, however it is written. */
const through = (folder) => `^\\.{1,2}/(?:.*/)?${folder}/`;

/** One block per room: the other rooms are closed, and where `packages` lists the room, so is every other package. */
function wall(room, may) {
  const closed = [...Object.keys(rooms), 'test', 'bench', 'dist'].filter(
    (other) => other !== room && !may.includes(other),
  );
  const patterns = closed.map((other) => {
    const open = may.filter((path) => path.startsWith(`${other}/`)).map((path) => path.slice(other.length + 1));
    return {
      regex: through(other) + (open.length > 0 ? `(?!(?:${open.join('|')})$)` : ''),
      allowTypeImports: room === 'workflows' && other === 'activities',
      message: `${room}/ must not import ${other}/`,
    };
  });
  patterns.push({ regex: '(?:^|[/-])main\\.[cm]?[jt]s$', message: 'a main is started, never imported' });
  if (room === 'local') patterns.push({ regex: through('sandbox'), message: 'nobody imports the witness' });
  const allowed = packages[room];
  if (allowed) {
    patterns.push({ regex: `^(?!${['\\.', ...allowed].join('|')})`, message: `${room}/ imports no such package` });
  } else if (room !== 'clients') {
    patterns.push({ regex: CONNECTING, allowTypeImports: true, message: 'only clients/ opens connections' });
  }
  return {
    files: [`${room}/**/*.${CODE}`],
    ignores: ['local/sandbox/**'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
  };
}

/** The witness shares nothing with what it watches; `up` leads from these files out of its folder. */
function sandboxWall(files, up) {
  const patterns = [
    { regex: `^(?:\\./)*${up}|[^./]/\\.\\./`, message: 'the sandbox imports nothing of ours' },
    { regex: '^@aws-sdk/', message: 'the sandbox answers the AWS SDK and must not share code with it' },
  ];
  return { files: [files], rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] } };
}

const NAMED_WAIT = {
  selector: "CallExpression[callee.name='setTimeout'][arguments.length<2]",
  message: 'name the wait',
};
const UNSEEN_IMPORTS = [
  { selector: 'ImportExpression', message: 'import at the top of the file, where the walls see it' },
  { selector: "CallExpression[callee.name='require']", message: 'import at the top of the file' },
];
const ENVIRONMENT = [
  "MemberExpression[object.name='process'][property.name='env']",
  "MemberExpression[object.name='process'][property.value='env']",
  "VariableDeclarator[init.name='process']",
  'ImportDeclaration[source.value=/^(node:)?process$/]',
  'MemberExpression[object.name=/^(globalThis|global)$/]',
].map((selector) => ({ selector, message: 'only config/env.ts reads the environment' }));
const THE_TIME = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'a rule is handed the time' },
  { selector: "CallExpression[callee.name='Date']", message: 'a rule is handed the time' },
];
/** Temporal does not wait for it, so it would let everything through. */
const SYNC_VALIDATOR = {
  selector: "Property[key.name='validator'] > :function[async=true]",
  message: 'a validator is synchronous',
};
const syntax = (...restricted) => ({ 'no-restricted-syntax': ['error', ...restricted] });

/** What a rule or a workflow must not touch: it would answer differently in a replay, or reach outside. */
const OUTSIDE = ['process', 'Buffer', 'console', 'fetch', 'performance', 'crypto', 'globalThis', 'global', 'require'];
const TIMERS = ['setTimeout', 'setInterval', 'setImmediate', 'WeakRef', 'FinalizationRegistry', 'WebSocket'];
const restrictedGlobals = ['error', ...OUTSIDE, ...TIMERS];

export default tseslint.config(
  { ignores: ['dist/', '.fermata/', 'node_modules/', 'store/migrations/', 'api/docs/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { noInlineConfig: true },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
    },
  },
  ...Object.entries(rooms).map(([room, may]) => wall(room, may)),
  sandboxWall('local/sandbox/*.ts', '\\.\\./'),
  sandboxWall('local/sandbox/*/*.ts', '(?:\\.\\./){2}'),
  sandboxWall('local/sandbox/*/*/**/*.ts', '(?:\\.\\./){3}'),
  { files: ['**/*.ts'], ignores: ['test/**', 'bench/**'], rules: syntax(NAMED_WAIT) },
  {
    files: Object.keys(rooms).map((room) => `${room}/**/*.${CODE}`),
    ignores: ['local/**', 'config/env.ts'],
    rules: syntax(NAMED_WAIT, ...UNSEEN_IMPORTS, ...ENVIRONMENT),
  },
  { files: ['workflows/**'], rules: syntax(NAMED_WAIT, ...UNSEEN_IMPORTS, ...ENVIRONMENT, SYNC_VALIDATOR) },
  { files: ['config/env.ts'], rules: syntax(NAMED_WAIT, ...UNSEEN_IMPORTS) },
  {
    files: ['domain/**', 'operations/**'],
    rules: {
      ...syntax(...UNSEEN_IMPORTS, ...THE_TIME),
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'a rule is handed the time' },
        { object: 'Math', property: 'random', message: 'a rule is handed its chance' },
      ],
    },
  },
  {
    files: ['domain/**', 'operations/**', 'workflows/**'],
    rules: { 'no-restricted-globals': restrictedGlobals },
  },
  { files: ['bench/**/*.ts', 'local/**', 'test/kit/**'], rules: { 'no-console': 'off' } },
  { files: ['**/*.mjs', '**/*.js'], rules: { 'no-console': 'off' } },
);
