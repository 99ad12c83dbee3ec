// Takes each HTTP request to EC2 or to the control API and sends the answer; nothing a client sends gets past it.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { readBody } from './body.ts';
import { ec2 } from './ec2.ts';
import type { Delivery } from './ec2.ts';
import { control } from '../control/index.ts';
import type { Controlled } from '../control/index.ts';
import { Rejection } from '../control/fields.ts';
import { errorXml } from '../xml.ts';

const controlRoot = '/_sandbox/';
const xmlType = 'text/xml;charset=UTF-8';
const jsonType = 'application/json; charset=utf-8';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly path: string;
  readonly search: string;
}

export async function route(request: IncomingMessage, response: ServerResponse, box: Controlled): Promise<void> {
  const [path = '', search = ''] = (request.url ?? '').split(/\?(.*)/s);
  const exchange = { request, response, requestId: randomUUID(), path, search };
  const body = await readBody(request);
  if (path.startsWith(controlRoot)) await toControl(exchange, body, box);
  else toEc2(exchange, body, box);
}

async function toControl(exchange: Exchange, body: string | undefined, box: Controlled): Promise<void> {
  const { request, response, requestId, path } = exchange;
  const asked = { method: request.method ?? '', path: path.slice(controlRoot.length), body: body ?? '', requestId };
  const send = (status: number, answer: unknown) =>
    write(response, requestId, status, jsonType, `${JSON.stringify(answer)}\n`);
  if (body === undefined) return send(413, { error: 'the body is longer than 64 kB' });
  try {
    send(200, await control(asked, box));
  } catch (problem) {
    if (problem instanceof Rejection) return send(problem.status, { error: problem.message });
    process.stderr.write(`sandbox: ${asked.method} ${path} failed: ${String(problem)}\n`);
    send(500, { error: 'internal error' });
  }
}

function toEc2(exchange: Exchange, body: string | undefined, box: Controlled): void {
  const { request, response, requestId, path, search } = exchange;
  const refuse = (status: number, code: string, message: string) =>
    write(response, requestId, status, xmlType, errorXml(requestId, code, message));
  if (body === undefined) return refuse(413, 'RequestEntityTooLarge', 'The request is longer than 64 kB.');
  if (path !== '/') return refuse(404, 'InvalidPath', 'There is nothing at this path.');
  if (request.method !== 'POST' && request.method !== 'GET') {
    return refuse(405, 'UnsupportedMethod', 'EC2 is called by GET or POST.');
  }
  const form = request.method === 'GET' ? search : body;
  const { authorization } = request.headers;
  deliver(exchange, ec2({ form, authorization, requestId }, box));
}

function deliver({ response, requestId }: Exchange, { answer, how, afterMs }: Delivery): void {
  if (how === 'withhold') return;
  const finish = () => {
    if (how === 'cut') response.destroy();
    else write(response, requestId, answer.status, xmlType, answer.xml);
  };
  if (afterMs > 0) setTimeout(finish, afterMs);
  else finish();
}

function write(response: ServerResponse, requestId: string, status: number, type: string, text: string): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-amzn-requestid': requestId,
  });
  response.end(text);
}
