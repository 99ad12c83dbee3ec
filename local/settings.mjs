// What preparation and the launcher read from the environment: which folders, which port, which cloud.
import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Somebody who starts us made a mistake that a sentence explains: no stack is shown. */
export class Refusal extends Error {
  name = 'Refusal';
}

const EXPLAINED = new Set(['Refusal', 'ConfigError']);

/** What we say ourselves needs no stack. */
export function explain(error) {
  return EXPLAINED.has(error.name) ? error.message : error.stack;
}

export function readSettings(env = process.env) {
  const port = Number(env.PORT || 8000);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Refusal(`PORT is "${env.PORT}": it must be a whole number from 1 to 65535.`);
  }
  const cloud = env.FERMATA_CLOUD || 'sandbox';
  if (cloud !== 'sandbox' && cloud !== 'aws') {
    throw new Refusal(`FERMATA_CLOUD is "${cloud}": it must be "sandbox" or "aws".`);
  }
  return {
    root,
    dataDir: resolve(root, env.FERMATA_DATA_DIR || '.fermata'),
    host: env.HOST || '127.0.0.1',
    port,
    cloud,
  };
}

/** Makes a folder that nobody else may enter; `variable` moves it. */
export function ownFolder(path, variable) {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    chmodSync(path, 0o700);
    return path;
  } catch (error) {
    throw new Refusal(`The folder ${path} cannot be used (${error.code}): ${variable} names another.`, {
      cause: error,
    });
  }
}

/** Short where it is inside the clone. */
export function shortPath(path) {
  const inside = relative(root, path);
  return inside.startsWith('..') ? path : inside;
}

/** Where what was downloaded or built once is kept for every clone of this user. */
export function cacheFolder(env = process.env) {
  return ownFolder(env.FERMATA_CACHE_DIR ? resolve(root, env.FERMATA_CACHE_DIR) : usualCache(env), 'FERMATA_CACHE_DIR');
}

function usualCache(env) {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'fermata');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'fermata');
  if (process.platform === 'win32') return join(env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'fermata');
  return join(homedir(), '.cache', 'fermata');
}
