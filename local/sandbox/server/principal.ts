// Who asks: the access key id in the Authorization header. Signatures are not checked, for there are no secrets here.
const credential = /^AWS4-HMAC-SHA256 +Credential=([\w-]{1,128})\/\d{8}\/[\w-]+\/[\w-]+\/aws4_request,/;

export function principalOf(authorization: string | undefined): string | undefined {
  return credential.exec(authorization ?? '')?.[1];
}
