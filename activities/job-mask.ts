// Blacking out secrets in the bytes of a log, whose offsets must stay what they are: a star for each byte.
import { formsOf, KNOWN_FORM } from '../domain/secret.ts';

/** What a minted token begins with, as far as it has come. */
const KNOWN_BEGINNING = /\bg(?:h(?:[a-z](?:_[A-Za-z0-9]{0,255})?)?)?$/;

/** One character a byte, so that places in the text are offsets. */
const textOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

export interface Mask {
  /** The bytes without the values. */
  hide(bytes: Uint8Array): Buffer;
  /** How many of the last bytes may be the beginning of a value: what follows them tells. */
  heldBack(bytes: Uint8Array): number;
}

/** Makes the mask for these values, in every form in which they may be printed. */
export function maskOf(values: readonly string[]): Mask {
  const forms = formsOf(values).map((form) => Buffer.from(form).toString('latin1'));
  const hidden = (text: string) =>
    forms
      .reduce((rest, form) => rest.replaceAll(form, '*'.repeat(form.length)), text)
      .replaceAll(KNOWN_FORM, (token) => '*'.repeat(token.length));
  return {
    hide: (bytes) => Buffer.from(hidden(textOf(bytes)), 'latin1'),
    heldBack: (bytes) => {
      const text = textOf(bytes);
      // Where another value ends before it, a token begins at a star.
      const token = KNOWN_BEGINNING.exec(hidden(text))?.[0].length ?? 0;
      return Math.max(token, ...forms.map((form) => beginningAtEnd(text, form)));
    },
  };
}

/** How many of the first characters of a form a text ends with, but not all of them. */
function beginningAtEnd(text: string, form: string): number {
  for (let length = Math.min(form.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(form.slice(0, length))) return length;
  }
  return 0;
}
