// References to secrets: inputs and rows carry these, activities resolve them just before use, and nothing else sees values.

/**
 * Where the worker finds a secret: the variable `FERMATA_SECRET_<env>` of its environment, a file of its secrets folder,
 * or what a command that config names prints. Nothing else of the worker can be referred to.
 */
export type SecretRef = { readonly env: string } | { readonly file: string } | { readonly command: string };

/** A reference in words, for messages: never the value. */
export function secretName(ref: SecretRef): string {
  if ('env' in ref) return `secret from the environment variable FERMATA_SECRET_${ref.env}`;
  if ('file' in ref) return `secret file ${ref.file}`;
  return `secret command ${ref.command}`;
}

/** Shorter values would black out ordinary words. */
export const SHORTEST_HIDDEN = 4;

/** A value in the ways in which a shell, a URL or JSON would print it, the longest first. */
export function formsOf(values: readonly string[]): readonly string[] {
  const forms = values
    .flatMap((value) => [value, ...value.split(/\r?\n/)])
    .flatMap((value) => [
      value,
      value.replaceAll("'", "'\\''"),
      inJson(value),
      encodeURIComponent(value.toWellFormed()),
    ])
    .map((form) => form.trim())
    .filter((form) => form.length >= SHORTEST_HIDDEN)
    .sort((a, b) => b.length - a.length);
  return [...new Set(forms)];
}

const inJson = (value: string) => JSON.stringify(value).slice(1, -1);

/** Tokens that are known by their form, also when nobody remembers having made them: those of GitHub. */
export const KNOWN_FORM = /\bgh[a-z]_[A-Za-z0-9]{20,}/g;

/**
 * The text without these values, in any of the forms in which a shell or JSON would print them, and without tokens that
 * are known by their form.
 */
export function redacted(text: string, values: readonly string[]): string {
  return formsOf(values)
    .reduce((rest, form) => rest.replaceAll(form, '[secret]'), text)
    .replaceAll(KNOWN_FORM, '[secret]');
}

/** The same for a text that was cut off: the beginning of a value at its end goes as well. */
export function redactedHead(text: string, values: readonly string[]): string {
  const whole = redacted(text, values);
  const longest = Math.max(0, ...formsOf(values).map((form) => beginningAtEnd(whole, form)));
  return longest === 0 ? whole : `${whole.slice(0, -longest)}[secret]`;
}

/** How many of its first characters a text ends with; 0 for so few that they may be anything. */
function beginningAtEnd(text: string, form: string): number {
  for (let length = form.length - 1; length >= SHORTEST_HIDDEN; length -= 1) {
    if (text.endsWith(form.slice(0, length))) return length;
  }
  return 0;
}
