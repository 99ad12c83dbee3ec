// The environment of the children: what they need, and nothing of the user's that leads elsewhere.
import { devNull } from 'node:os';

/** What every child gets. gRPC would otherwise send even loopback connections through a proxy. */
export function baseEnv(given: NodeJS.ProcessEnv, dataDir: string): NodeJS.ProcessEnv {
  const { FERMATA_CLOUD: _launcherOnly, ...env } = given;
  const direct = [given['NO_PROXY'] ?? given['no_proxy'], '127.0.0.1', 'localhost', '::1'].filter(Boolean).join(',');
  return { ...env, FERMATA_DATA_DIR: dataDir, NO_PROXY: direct, no_proxy: direct };
}

/** Real keys and profiles never reach the sandbox: all AWS_* are replaced. */
export function sandboxCloudEnv(given: NodeJS.ProcessEnv, ec2: string): NodeJS.ProcessEnv {
  return {
    ...without(given, 'AWS_'),
    AWS_ENDPOINT_URL_EC2: ec2,
    AWS_REGION: regionOf(given),
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** The user's own TEMPORAL_* and profile belong to other servers: with their TLS, ours would never be reached. */
export function ownTemporalEnv(given: NodeJS.ProcessEnv, profile: string): NodeJS.ProcessEnv {
  return { ...without(given, 'TEMPORAL_'), TEMPORAL_CONFIG_FILE: profile };
}

export const regionOf = (given: NodeJS.ProcessEnv) => given['AWS_REGION'] || given['AWS_DEFAULT_REGION'] || 'us-east-1';

function without(env: NodeJS.ProcessEnv, prefix: string): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith(prefix)));
}
