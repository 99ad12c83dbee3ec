// The OpenAPI document as a test reads it, and its schemas as checks of what is answered.
import { z } from 'zod';
import type { Answer, Api } from '../kit/http.ts';

const schema = z.looseObject({ properties: z.record(z.string(), z.unknown()).optional() });
const content = z.record(z.string(), z.object({ schema: z.looseObject({}) }));
const parameter = z.looseObject({ name: z.string(), in: z.string(), schema: z.looseObject({}) });
const operation = z.looseObject({
  operationId: z.string(),
  parameters: z.array(parameter).default([]),
  requestBody: z.looseObject({ content }).optional(),
  responses: z.record(z.string(), z.looseObject({ content: content.optional() })),
});
const document = z.looseObject({
  tags: z.array(z.object({ name: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), schema) }),
});
export type Document = z.output<typeof document>;
export type Operation = z.output<typeof operation>;

/** Fetches the document. */
export async function documentOf(api: Api): Promise<Document> {
  return document.parse((await api.call('GET', '/openapi.json')).body);
}

/** Says what is wrong with an answer by the document; undefined when it is documented and its body fits. */
export type Judge = (operation: Operation, answer: Answer) => string | undefined;

/** Makes the judge; each schema is compiled once. */
export function judgeOf({ components }: Document): Judge {
  const made = new Map<object, z.ZodType>();
  const definitions: unknown = JSON.parse(
    JSON.stringify(components.schemas).replaceAll('#/components/schemas/', '#/$defs/'),
  );
  const compiled = (wanted: Record<string, unknown>) => {
    const known = made.get(wanted);
    if (known) return known;
    const text = JSON.stringify(wanted).replaceAll('#/components/schemas/', '#/$defs/');
    const fresh = z.fromJSONSchema({
      ...z.record(z.string(), z.json()).parse(JSON.parse(text)),
      $defs: schemasOf(definitions),
    });
    made.set(wanted, fresh);
    return fresh;
  };
  return ({ responses }, answer) => {
    const documented = responses[String(answer.status)];
    if (!documented) return `${answer.status} is not documented`;
    if (!documented.content) return answer.text === '' ? undefined : `${answer.status} has a body`;
    const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
    const described = documented.content[type];
    if (!described) return `${answer.status} in ${type} is not documented`;
    const { success, error } = compiled(described.schema).safeParse(answer.body);
    return success ? undefined : `the body of ${answer.status} does not fit: ${error.message}`;
  };
}

function schemasOf(definitions: unknown): Record<string, z.core.JSONSchema.JSONSchema> {
  const names = z.record(z.string(), z.record(z.string(), z.json())).parse(definitions);
  return Object.fromEntries(Object.entries(names).map(([name, each]) => [name, { ...each }]));
}
