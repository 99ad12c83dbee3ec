// Reads the EC2 Query protocol: `Filter.1.Name=...` of a form becomes nested parameters, read by name with AWS's errors.
import { invalidValue, missingParameter, Refusal } from './refusal.ts';

const maximumDepth = 8;
const notXml = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

interface Part {
  text: string | undefined;
  readonly parts: Map<string, Part>;
}

export class Query {
  readonly #part: Part;
  readonly #path: string;

  constructor(part: Part, path = '') {
    this.#part = part;
    this.#path = path;
  }

  /** An empty value counts as absent, as it does for EC2. */
  text(name: string): string | undefined {
    return this.#part.parts.get(name)?.text || undefined;
  }

  /** The value as sent: undefined when absent, '' when sent empty (a tag's value may be empty). */
  sent(name: string): string | undefined {
    return this.#part.parts.get(name)?.text;
  }

  required(name: string): string {
    const text = this.text(name);
    if (text === undefined) throw missingParameter(this.#path + name);
    return text;
  }

  flag(name: string): boolean {
    const text = this.text(name);
    if (text === undefined || text === 'false') return false;
    if (text === 'true') return true;
    throw invalidValue(`Invalid value '${text}' for ${this.#path}${name}. Expecting true or false.`);
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^-?\d{1,9}$/.test(text)) throw invalidValue(`Invalid value '${text}' for ${this.#path}${name}.`);
    return Number(text);
  }

  /** `InstanceId.1`, `InstanceId.2`, ... in their order, each value once. */
  list(name: string): string[] {
    return [...new Set(this.texts(name).filter((text) => text !== ''))];
  }

  /** The same with repetitions and empty values. */
  texts(name: string): string[] {
    return this.#numbered(name).map(({ part }) => part.text ?? '');
  }

  groups(name: string): Query[] {
    return this.#numbered(name).map(({ part, index }) => new Query(part, `${this.#path}${name}.${index}.`));
  }

  group(name: string): Query | undefined {
    const part = this.#part.parts.get(name);
    return part && new Query(part, `${this.#path}${name}.`);
  }

  /** What this does not know is refused, because ignoring it would let a caller believe that it had an effect. */
  knowsOnly(names: readonly string[]): void {
    for (const name of this.#part.parts.keys()) {
      if (!names.includes(name)) {
        throw new Refusal('UnknownParameter', `The parameter ${this.#path}${name} is not recognized`);
      }
    }
  }

  /** The same parameters give the same text, in whatever order they were sent. */
  canonical(without: readonly string[]): string {
    return JSON.stringify(sorted(this.#part, without));
  }

  #numbered(name: string): { index: string; part: Part }[] {
    const parts = this.#part.parts.get(name)?.parts ?? new Map<string, Part>();
    return [...parts]
      .filter(([index]) => /^[1-9]\d{0,4}$/.test(index))
      .sort(([one], [other]) => Number(one) - Number(other))
      .map(([index, part]) => ({ index, part }));
  }
}

export function parseQuery(form: string): Query {
  const root: Part = { text: undefined, parts: new Map() };
  for (const [key, text] of new URLSearchParams(form)) {
    if (notXml.test(key) || notXml.test(text))
      throw new Refusal('InvalidCharacter', 'A specified character is invalid.');
    const names = key.split('.');
    if (names.length > maximumDepth) {
      throw new Refusal('MalformedQueryString', `The parameter ${key} is nested too deep`);
    }
    let part = root;
    for (const name of names) part = childOf(part, name);
    part.text = text;
  }
  return new Query(root);
}

function childOf(part: Part, name: string): Part {
  const known = part.parts.get(name);
  if (known) return known;
  const fresh: Part = { text: undefined, parts: new Map() };
  part.parts.set(name, fresh);
  return fresh;
}

function sorted(part: Part, without: readonly string[]): unknown {
  const names = [...part.parts.keys()].filter((name) => !without.includes(name)).sort();
  return [part.text ?? null, names.map((name) => [name, sorted(part.parts.get(name) ?? part, [])])];
}
