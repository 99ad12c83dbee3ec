// The shape of an answer: the paths of the fields in it with their types, and how two shapes differ.
export type Shape = ReadonlyMap<string, string>;

export function shapeOf(value: unknown): Shape {
  const paths = new Map<string, string>();
  collect(value, '', paths);
  return paths;
}

/** What one has and the other lacks or has of another type; fields inside a missing field are not told apart. */
export function missingIn(other: Shape, shape: Shape): string[] {
  const missing = [...shape].filter(([path, type]) => other.get(path) !== type).map(([path]) => path);
  return missing.filter(
    (path) => !missing.some((outer) => path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`)),
  );
}

function collect(value: unknown, path: string, paths: Map<string, string>): void {
  if (value === undefined) return;
  const type =
    value instanceof Date || Object.prototype.toString.call(value) === '[object Date]' ? 'time' : typeof value;
  if (path !== '') paths.set(path, Array.isArray(value) ? 'list' : type);
  if (Array.isArray(value)) value.forEach((entry) => collect(entry, `${path}[]`, paths));
  else if (type === 'object' && value !== null) {
    for (const [name, child] of Object.entries(value)) {
      if (name !== '$metadata') collect(child, path === '' ? name : `${path}.${name}`, paths);
    }
  }
}
