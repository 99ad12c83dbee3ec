// Writes the XML that EC2 answers with: an object becomes elements, a list becomes `<item>`s.
export type Tree = string | number | boolean | readonly Tree[] | Branch;
export interface Branch {
  readonly [name: string]: Tree | undefined;
}

const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
const namespace = 'http://ec2.amazonaws.com/doc/2016-11-15/';

export function answerXml(action: string, requestId: string, answer: Branch): string {
  return `${head}<${action}Response xmlns="${namespace}">${content({ requestId, ...answer })}</${action}Response>`;
}

export function errorXml(requestId: string, code: string, message: string): string {
  return head + element('Response', { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId });
}

function element(name: string, tree: Tree): string {
  const inside = content(tree);
  return inside === '' ? `<${name}/>` : `<${name}>${inside}</${name}>`;
}

function content(tree: Tree): string {
  if (typeof tree === 'string') return escape(tree);
  if (typeof tree === 'number' || typeof tree === 'boolean') return String(tree);
  if (isList(tree)) return tree.map((entry) => element('item', entry)).join('');
  return Object.entries(tree)
    .map(([name, child]) => (child === undefined ? '' : element(name, child)))
    .join('');
}

function isList(tree: readonly Tree[] | Branch): tree is readonly Tree[] {
  return Array.isArray(tree);
}

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  // A parser turns a bare carriage return into a line feed.
  ['\r', '&#13;'],
]);

function escape(text: string): string {
  return text.replace(/[&<>"\r]/g, (character) => entities.get(character) ?? character);
}
