// Failures: every expected refusal by its row in the table of errors, with its words filled in.
import type { FailureRow } from './failure-table.ts';
import { FAILURES } from './failure-table.ts';
import { storable } from './text.ts';

export type FailureType = keyof typeof FAILURES;
export type FailureDetails = Readonly<Record<string, string | number>>;

/** True when the text is a type of the table. */
export function isFailureType(text: string | null | undefined): text is FailureType {
  return typeof text === 'string' && Object.hasOwn(FAILURES, text);
}

/** The table's row for a type. */
export function failureRow(type: FailureType): FailureRow {
  return FAILURES[type];
}

/** The words of a failure with its details filled in. */
export function failureText(type: FailureType, details: FailureDetails = {}): string {
  return FAILURES[type].text.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? ''));
}

const LONGEST_TEXT = 2_000;

/** Cuts a text that came from outside, so that no failure outgrows a history event or a row, or cannot be stored. */
export function capped(text: string): string {
  if (text.length <= LONGEST_TEXT) return storable(text);
  return `${storable(text.slice(0, LONGEST_TEXT))} … (${text.length} characters)`;
}

/** One entry of the array that `detail` is when a body or its params do not fit the schema. */
export interface Issue {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** Every expected refusal, in every room; anything else that is thrown is a bug. */
export class Failure extends Error {
  readonly type: FailureType;
  readonly details: FailureDetails;
  readonly issues: readonly Issue[] | undefined;

  constructor(type: FailureType, details: FailureDetails = {}, issues?: readonly Issue[]) {
    super(capped(failureText(type, details)));
    this.name = 'Failure';
    this.type = type;
    this.details = details;
    this.issues = issues;
  }
}
