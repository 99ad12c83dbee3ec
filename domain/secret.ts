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
const SHORTEST_HIDDEN = 4;

/** The text without these values, in any of the forms in which a shell or JSON would print them. */
export function redacted(text: string, values: readonly string[]): string {
  const forms = values
    .flatMap((value) => [value, ...value.split(/\r?\n/), JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])
    .map((form) => form.trim())
    .filter((form) => form.length >= SHORTEST_HIDDEN)
    .sort((a, b) => b.length - a.length);
  return [...new Set(forms)].reduce((rest, form) => rest.replaceAll(form, '[secret]'), text);
}
