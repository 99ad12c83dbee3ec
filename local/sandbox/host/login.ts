// Who may log in on a host: one user, by the one client key or, where the control API set one, by password.
import { timingSafeEqual } from 'node:crypto';

import ssh2 from 'ssh2';
import type { AuthContext, ParsedKey, PublicKeyAuthContext } from 'ssh2';

export const username = 'ec2-user';

export interface Login {
  readonly clientKey: ParsedKey;
  readonly password: string | undefined;
}

/** Throws on a line that is no public key. */
export function parsedKey(line: string): ParsedKey {
  const key = ssh2.utils.parseKey(line);
  if (key instanceof Error) throw key;
  return key;
}

/** Returns whether a method that could have let somebody in was refused. */
export function decide(context: AuthContext, login: Login): 'in' | 'asked' | 'refused' {
  const { clientKey, password } = login;
  if (context.username === username) {
    if (context.method === 'publickey' && isKeyOf(context, clientKey)) {
      context.accept();
      return context.signature ? 'in' : 'asked';
    }
    if (context.method === 'password' && password !== undefined && context.password === password) {
      context.accept();
      return 'in';
    }
  }
  context.reject(password === undefined ? ['publickey'] : ['publickey', 'password']);
  return context.method === 'none' ? 'asked' : 'refused';
}

/** A client may ask first whether a key would do; it is in only with a signature made by that key. */
function isKeyOf({ key, signature, blob, hashAlgo }: PublicKeyAuthContext, clientKey: ParsedKey): boolean {
  const wanted = clientKey.getPublicSSH();
  if (key.algo !== clientKey.type || key.data.length !== wanted.length || !timingSafeEqual(key.data, wanted)) {
    return false;
  }
  return signature === undefined || (blob !== undefined && clientKey.verify(blob, signature, hashAlgo));
}
