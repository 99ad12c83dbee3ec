// Random requests made from the schemas of the OpenAPI document: valid, nearly valid, and nothing of the kind.
import fc from 'fast-check';
import { z } from 'zod';
import type { Document, Operation } from './document.ts';

export interface Wild {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** Tasks that exist; nothing that is generated may end one of them. */
export interface Known {
  readonly ended: string;
  readonly held: string;
  /** A member; only what reads from the store may name it. */
  readonly member: string;
}

const described = z.looseObject({
  $ref: z.string().optional(),
  type: z.string().optional(),
  enum: z.array(z.json()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).default([]),
});

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 300 }));
const nasty = fc.constantFrom(
  '\0',
  '\ud800',
  'a\0b',
  '__proto__',
  'constructor',
  '\u202e',
  "'; drop table tasks; --",
  '💥',
);
const huge = fc.integer({ min: 1, max: 70_000 }).map((length) => 'x'.repeat(length));
const deep = fc.integer({ min: 1, max: 200 }).map((depth) => {
  let value: fc.JsonValue = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { level: value };
  return value;
});
const anything: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  nasty,
  huge,
  deep,
  fc.double(),
);

/** Values that fit a schema of the document. */
function fitting(schema: unknown, document: Document): fc.Arbitrary<unknown> {
  const { $ref, type, enum: values, properties, required } = described.parse(schema);
  if ($ref !== undefined) return fitting(document.components.schemas[$ref.split('/').at(-1) ?? ''], document);
  if (values) return fc.constantFrom(...values);
  switch (type) {
    case 'string':
      return text;
    case 'integer':
      return fc.integer();
    case 'number':
      return fc.double();
    case 'boolean':
      return fc.boolean();
    case 'object': {
      const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, fitting(field, document)] as const);
      if (fields.length === 0) return fc.dictionary(fc.oneof(text, nasty), anything, { maxKeys: 3 });
      return fc.record(Object.fromEntries(fields), { requiredKeys: required });
    }
    default:
      return anything;
  }
}

/** Bends a value a little: another type somewhere, a name too many, a name too few. */
function bent(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(value, fc.nat({ max: 3 }), fc.oneof(text, nasty), anything).map(([former, how, name, other]) => {
    if (typeof former !== 'object' || former === null) return other;
    const entries = Object.entries(former);
    const index = name.length % Math.max(1, entries.length);
    if (how === 0) return Object.fromEntries(entries.filter((_, at) => at !== index));
    if (how === 1) return Object.fromEntries([...entries, [name, other]]);
    return Object.fromEntries(entries.map(([key, each], at) => [key, at === index ? other : each]));
  });
}

const notText = fc.constantFrom(null, true, 0.5, [], {}, ['x'], { a: 1 }, 'a\0', '');
const required = z.array(z.object({ name: z.string(), params: z.array(z.string()) }));

/** Submits of real operations with params that none of them takes, so that nothing may ever start. */
function wrongSubmits(catalogue: unknown): fc.Arbitrary<unknown> {
  const real = required.parse(catalogue).filter(({ params }) => params.length > 0);
  return fc
    .tuple(fc.constantFrom(...real), notText, anything, text)
    .map(([{ name, params }, wrong, more, resource]) => ({
      operation: name,
      resource,
      params: { ...Object.fromEntries(params.map((param) => [param, wrong])), ...(wrong === null ? { more } : {}) },
    }));
}

const undecided = fc.record({ confirmed: anything.filter((value) => typeof value !== 'boolean'), comment: text });
/** Bending may make a decision of it, and that one would count. */
const stillUndecided = bent(undecided).filter(
  (body) => typeof body !== 'object' || body === null || typeof Reflect.get(body, 'confirmed') !== 'boolean',
);
const otherPlan = fc.record({ confirmed: fc.boolean(), plan_digest: fc.string({ minLength: 1, maxLength: 60 }) });

const sent = (json: fc.Arbitrary<unknown>): fc.Arbitrary<string | Uint8Array> =>
  fc.oneof(
    { weight: 12, arbitrary: json.map((value) => JSON.stringify(value) ?? '') },
    { weight: 1, arbitrary: json.map((value) => (JSON.stringify(value) ?? '').slice(0, -1)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 1, arbitrary: text },
  );

const visible = fc.string({ unit: fc.constantFrom(...'abcXYZ019 ",;=*/-_.:\\'), maxLength: 300 });
const header: Readonly<Record<string, fc.Arbitrary<string>>> = {
  prefer: fc.constantFrom('wait=0', 'wait=', 'wait=x', 'respond-async', ',,;'),
  accept: fc.constantFrom('application/problem+json', '*/*', 'text/html', 'application/json', ';q=', 'a/b;q=2'),
  'content-type': fc.constantFrom(
    'application/json',
    'text/plain',
    'application/x+json',
    'rubbish',
    'application/json;',
  ),
  'if-none-match': visible,
  'idempotency-key': visible,
  'x-request-id': visible,
  origin: visible,
};

/** Requests of one route and method. */
export function wildOf(
  document: Document,
  [path, method, operation]: readonly [string, string, Operation],
  known: Known,
  catalogue: unknown,
): fc.Arbitrary<Wild> {
  const confirms = path.endsWith('/confirm');
  const reads = method === 'get';
  const unknown = fc.oneof(
    text,
    nasty,
    fc.uuid(),
    visible,
    huge.map((id) => id.slice(0, 2_000)),
  );
  const strangers = unknown
    .map((id) => id.toWellFormed())
    .filter((id) => id !== '' && !/^\.{1,2}$/.test(id) && !Object.values(known).includes(id));
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  /** What the parameters of the path may name when they name something that there is. */
  const real: Readonly<Record<string, fc.Arbitrary<string>>> = {
    ...((reads || confirms) && { task_id: fc.constantFrom(known.held, known.ended) }),
    // A download is a task.
    ...(reads && !names.includes('path') && { member_id: fc.constant(known.member) }),
  };
  const schema = operation.requestBody?.content['application/json']?.schema;
  const whole = schema === undefined ? fc.constant(undefined) : fitting(schema, document);
  const queries = operation.parameters.filter((each) => each.in === 'query').map(({ name }) => name);
  const query = fc.dictionary(fc.constantFrom('q', '__proto__', ...queries), fc.oneof(text, nasty, fc.constant('1')));
  const harmless = confirms ? fc.oneof(undecided, otherPlan, stillUndecided) : whole;
  const bodies = confirms
    ? fc.oneof(whole, bent(whole), anything)
    : fc.oneof(bent(whole), whole, wrongSubmits(catalogue));
  return fc
    .boolean()
    .chain((exists) =>
      fc.record({
        named: fc.record(
          Object.fromEntries(names.map((name) => [name, (exists ? real[name] : undefined) ?? strangers])),
        ),
        query,
        headers: fc.record(header, { requiredKeys: [] }),
        body: schema === undefined ? fc.constant(undefined) : sent(exists && confirms ? harmless : bodies),
      }),
    )
    .map(({ named, query: asked, headers, body }) => ({
      method: method.toUpperCase(),
      path: `${path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(named[name] ?? ''))}?${new URLSearchParams(asked).toString()}`,
      operation,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value ?? ''])),
      body,
    }));
}
