// The example of an IAM policy: every call that Fermata makes is in it, nothing else is, and changes are fenced by a tag.
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { assetPath } from '../../config/paths.ts';

const statement = z.strictObject({
  Sid: z.string().regex(/^[A-Za-z0-9]+$/),
  Effect: z.literal('Allow'),
  Action: z.union([z.string(), z.array(z.string())]).transform((action) => [action].flat()),
  Resource: z.string(),
  Condition: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.array(z.string())]))).optional(),
});
const { Statement: statements } = z
  .strictObject({ Version: z.literal('2012-10-17'), Statement: z.array(statement) })
  .parse(JSON.parse(readFileSync(assetPath('docs', 'iam-policy.json'), 'utf8')));

const [imported = ''] =
  /import \{[^}]*\} from '@aws-sdk\/client-ec2'/.exec(readFileSync(assetPath('clients', 'ec2.ts'), 'utf8')) ?? [];
const called = [...imported.matchAll(/\b(\w+)Command\b/g)].map(([, name = '']) => `ec2:${name}`);

/** AWS knows no narrower resource for these. */
const READS = /^ec2:Describe/;

test('the calls are found, in the one file that makes them', () => {
  expect(called).toEqual(expect.arrayContaining(['ec2:DescribeInstances', 'ec2:StopInstances', 'ec2:DeleteTags']));
  const clients = readdirSync(assetPath('clients'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const others = clients.filter(
    (path) => path !== 'ec2.ts' && /\w+Command\b[^;]*@aws-sdk/.test(readFileSync(assetPath('clients', path), 'utf8')),
  );
  expect(others).toEqual([]);
});

test('each of them is allowed once, and nothing else', () => {
  expect(statements.flatMap(({ Action }) => Action).sort()).toEqual([...called].sort());
});

test('only what is read of all machines is allowed on all of them', () => {
  for (const { Action, Resource, Condition } of statements) {
    const reads = Action.every((action) => READS.test(action));
    expect([Action, Resource]).toEqual([Action, reads ? '*' : 'arn:aws:ec2:*:*:instance/*']);
    if (!reads) expect(Condition?.['StringEquals']).toEqual({ 'aws:ResourceTag/managed-by': 'fermata' });
  }
});

test('the tag that gives the right cannot be changed with it', () => {
  const tags = statements.find(({ Action }) => Action.includes('ec2:CreateTags'));
  expect(tags?.Action).toContain('ec2:DeleteTags');
  expect(tags?.Condition?.['ForAllValues:StringNotEquals']).toEqual({ 'aws:TagKeys': ['managed-by'] });
});
