// Reads the JSON of the control API: every field is checked, and an unknown one is named.
import { isObject } from '../shape.ts';

/** What is answered to a request of the control API that cannot be carried out. */
export class Rejection extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(json: string, known: readonly string[]) {
    this.#fields = objectOf(json);
    const unknown = Object.keys(this.#fields).find((name) => !known.includes(name));
    if (unknown !== undefined) throw new Rejection(`unknown field "${unknown}"; known are ${known.join(', ')}`);
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  isNull(name: string): boolean {
    return this.#fields[name] === null;
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== 'string' || value === '' || value.length > 256) {
      throw new Rejection(`"${name}" must be a text of 1 to 256 characters`);
    }
    return value;
  }

  integer(name: string, least: number, most: number): number {
    const value = this.#fields[name];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw new Rejection(`"${name}" must be a whole number from ${least} to ${most}`);
    }
    return value;
  }

  /** At most 64 of them. */
  integers(name: string, least: number, most: number): number[] {
    const value = this.#fields[name];
    const isFit = (one: unknown): one is number => Number.isInteger(one) && Number(one) >= least && Number(one) <= most;
    if (!Array.isArray(value) || value.length > 64 || !value.every(isFit)) {
      throw new Rejection(`"${name}" must be a list of at most 64 whole numbers from ${least} to ${most}`);
    }
    return value;
  }

  oneOf<const T extends readonly (string | null)[]>(name: string, words: T): T[number] {
    const value = this.#fields[name];
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) {
      throw new Rejection(`"${name}" must be one of ${words.map((candidate) => JSON.stringify(candidate)).join(', ')}`);
    }
    return word;
  }
}

function objectOf(json: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new Rejection('the body must be JSON');
  }
  if (!isObject(value)) throw new Rejection('the body must be a JSON object');
  return value;
}
