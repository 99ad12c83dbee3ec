// What each room of the house may import, and the rules that keep workflows deterministic and promises awaited.
import tseslint from 'typescript-eslint';

const rooms = {
  domain: [],
  operations: ['domain'],
  config: ['domain'],
  workflows: ['domain'],
  clients: ['domain', 'config'],
  store: ['domain', 'clients'],
  service: ['domain', 'operations', 'clients', 'store', 'config', 'workflows/messages'],
  activities: ['domain', 'operations', 'clients', 'store', 'service'],
  api: ['service', 'config', 'operations', 'domain'],
  worker: ['domain', 'operations', 'config', 'workflows', 'activities', 'clients', 'store', 'service'],
  local: ['config'],
};
const packages = {
  domain: [],
  operations: ['zod'],
  config: ['zod', 'node:'],
  workflows: ['@temporalio/workflow', '@temporalio/common'],
};

/** One block per room: the other rooms are closed, and where `packages` lists the room, so is every other package. */
function wall(room, may) {
  const closed = Object.keys(rooms).filter((other) => other !== room && !may.includes(other));
  const patterns = closed.map((other) => ({
    regex: may.some((path) => path.startsWith(`${other}/`))
      ? `^(\\.\\./)+${other}/(?!${may
          .filter((path) => path.startsWith(`${other}/`))
          .map((path) => path.slice(other.length + 1))
          .join('|')})`
      : `^(\\.\\./)+${other}/`,
    allowTypeImports: room === 'workflows' && other === 'activities',
    message: `${room}/ must not import ${other}/`,
  }));
  const allowed = packages[room];
  if (allowed) {
    const known = allowed.map((name) => name.replace('/', '\\/')).join('|');
    patterns.push({ regex: known ? `^(?!\\.|${known})` : '^(?!\\.)', message: `${room}/ imports no such package` });
  }
  return {
    files: [`${room}/**/*.ts`],
    ignores: ['local/sandbox/**'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
  };
}

export default tseslint.config(
  { ignores: ['dist/', '.fermata/', 'node_modules/', 'store/migrations/', 'api/docs/', 'test/rules/probe/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
    },
  },
  ...Object.entries(rooms).map(([room, may]) => wall(room, may)),
  {
    files: ['local/sandbox/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^\\.\\./\\.\\./', message: 'the sandbox is the witness: it imports nothing of ours' },
            { regex: '^@aws-sdk/', message: 'the sandbox answers the AWS SDK and must not share code with it' },
          ],
        },
      ],
    },
  },
  {
    files: ['**/*.ts'],
    ignores: ['local/sandbox/**', 'test/**', 'bench/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: "CallExpression[callee.name='setTimeout'][arguments.length<2]", message: 'name the wait' },
      ],
    },
  },
  { files: ['bench/**/*.ts', 'local/**', 'test/kit/**'], rules: { 'no-console': 'off' } },
  { files: ['**/*.mjs', '**/*.js'], rules: { 'no-console': 'off' } },
);
