// Reads config.json once and freezes it; whatever is wrong is said with the file, the key and the reason.
import { readFileSync } from 'node:fs';
import { types } from 'node:util';
import type { z } from 'zod';
import type { Config } from './schema.ts';
import { configSchema } from './schema.ts';

/** A start-up error a person can act on: it is printed as one sentence, without a stack. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** Loads and checks a config file. Throws {@link ConfigError}. */
export function loadConfig(path: string): Config {
  const parsed = configSchema.safeParse(parseJson(path, readText(path)));
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => worded(path, issue)).join('\n'));
  return deepFreeze(parsed.data);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const missing = types.isNativeError(error) && 'code' in error && error.code === 'ENOENT';
    throw new ConfigError(
      missing
        ? `File not found: ${path}. Set CONFIG_PATH to your config.json.`
        : `Cannot read ${path}: ${types.isNativeError(error) ? error.message : String(error)}`,
    );
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`Invalid JSON in ${path}: ${types.isNativeError(error) ? error.message : String(error)}`);
  }
}

function worded(path: string, issue: z.core.$ZodIssue): string {
  const key = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((name) => (key === '' ? name : `${key}.${name}`));
    return `Unknown key in ${path}: ${keys.join(', ')}. Remove it, or correct its spelling.`;
  }
  if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.includes('undefined')) {
    return `Missing required key in ${path}: ${key} (${issue.expected})`;
  }
  return `Invalid value in ${path}: ${key === '' ? 'the file' : key}: ${issue.message}`;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
