// The routes of files in the OpenAPI document.
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { z } from 'zod';
import { filePath } from '../operations/files.ts';
import { downloadQuery, uploadQuery } from './file-fields.ts';
import { accepted, error, invalid, json, operation, prefer, unavailable } from './openapi-parts.ts';
import { taskResponse } from './schemas.ts';

const path = z.object({
  member_id: z.string().meta({ description: 'Its id or its name' }),
  path: filePath.meta({ description: 'Below the work folder; slashes plain or encoded' }),
});
const bytes = { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } };
const header = (description: string) => ({ description, schema: { type: 'string' as const } });

export const filePaths: ZodOpenApiPathsObject = {
  '/api/v1/members/{member_id}/files/{path}': {
    get: operation('Members', 'get_file', 'Get File', {
      requestParams: { path, query: downloadQuery, header: z.object(prefer) },
      responses: {
        '200': {
          description: 'The file, as it was when it was summed up on the machine',
          headers: {
            'Repr-Digest': header('SHA-256 of the bytes (RFC 9530)'),
            'Content-Disposition': header('Its name'),
          },
          content: bytes,
        },
        '202': json('Not got yet: repeat with `task`', taskResponse, ['Location', 'Retry-After']),
        '403': error('The machine or the cloud refuses the credentials'),
        '404': error('No such member, task or file'),
        '409': error('The machine is stopped, the file too large, or the task failed otherwise'),
        ...invalid,
        ...unavailable,
      },
    }),
    put: operation('Members', 'put_file', 'Put File', {
      requestParams: {
        path,
        query: uploadQuery,
        header: z.object({
          'Idempotency-Key': z.string().max(257).optional(),
          'Repr-Digest': z.string().optional().meta({ description: '`sha-256=:base64:`: other bytes are refused' }),
          ...prefer,
        }),
      },
      requestBody: { required: true, content: bytes },
      responses: {
        '202': accepted,
        '400': error('The body was cut short, or a bad Idempotency-Key'),
        '404': error('No such member'),
        '413': error('The body is over 64 MiB'),
        ...invalid,
        ...unavailable,
      },
    }),
  },
};
