// Matches the wildcards of EC2 filters (`*`, `?`, a backslash before either) in time that no pattern can blow up.
export type Glob = readonly Token[];
type Token = { readonly kind: 'many' } | { readonly kind: 'one' } | { readonly kind: 'exactly'; readonly text: string };

export function globOf(pattern: string): Glob {
  const found = pattern.match(/\\[*?\\]|[\s\S]/gu) ?? [];
  return found.map((part) => {
    if (part === '*') return { kind: 'many' };
    if (part === '?') return { kind: 'one' };
    return { kind: 'exactly', text: part.length === 2 && part.startsWith('\\') ? part.slice(1) : part };
  });
}

/** Only the last `*` is ever taken back: an earlier one that matched its shortest can stay as it is. */
export function matchesGlob(glob: Glob, value: string): boolean {
  const characters = [...value];
  let at = 0;
  let token = 0;
  let retry: { at: number; token: number } | undefined;
  while (at < characters.length) {
    const wanted = glob[token];
    if (wanted?.kind === 'many') {
      token += 1;
      retry = { at, token };
    } else if (wanted && (wanted.kind === 'one' || wanted.text === characters[at])) {
      at += 1;
      token += 1;
    } else if (retry) {
      retry = { at: retry.at + 1, token: retry.token };
      ({ at, token } = retry);
    } else {
      return false;
    }
  }
  return glob.slice(token).every((left) => left.kind === 'many');
}
