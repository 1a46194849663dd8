// @azure/msal-node: secret, certificate, the cache, and a wrong secret.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import * as cloud from "./cloud.mjs";

const { ConfidentialClientApplication } = cloud.require("@azure/msal-node");
const known = cloud.address ? { knownAuthorities: [new URL(cloud.login).host] } : {};

function application(credential) {
  const authority = `${cloud.login}/${cloud.tenant}`;
  return new ConfidentialClientApplication({ auth: { clientId: cloud.clientId, authority, ...known, ...credential } });
}

const request = { scopes: [cloud.graphScope] };

cloud.tellVersions("@azure/msal-node");
const bySecret = application({ clientSecret: cloud.secret });
cloud.tellToken("secret", (await bySecret.acquireTokenByClientCredential(request)).accessToken);
cloud.tell("cached", { fromCache: (await bySecret.acquireTokenByClientCredential(request)).fromCache });
if (cloud.certificate) {
  const privateKey = readFileSync(cloud.certificate, "ascii");
  const thumbprintSha256 = new X509Certificate(privateKey).fingerprint256.replaceAll(":", "");
  const byCertificate = application({ clientCertificate: { thumbprintSha256, privateKey } });
  cloud.tellToken("certificate", (await byCertificate.acquireTokenByClientCredential(request)).accessToken);
}
const refused = await application({ clientSecret: cloud.wrongSecret }).acquireTokenByClientCredential(request).then(
  () => ({}),
  (error) => ({ error: error.errorCode, text: error.errorMessage }),
);
cloud.tell("wrong secret", refused);
