// @azure/identity: secret and certificate, a wrong secret, and a list of incidents by plain fetch.

import * as cloud from "./cloud.mjs";

const { ClientCertificateCredential, ClientSecretCredential } = cloud.require("@azure/identity");
const options = cloud.address ? { authorityHost: cloud.login, disableInstanceDiscovery: true } : {};
const who = [cloud.tenant, cloud.clientId];

cloud.tellVersions("@azure/identity", "@azure/msal-node");
const bySecret = new ClientSecretCredential(...who, cloud.secret, options);
const { token } = await bySecret.getToken(cloud.graphScope);
cloud.tellToken("secret", token);
if (cloud.certificate) {
  const byCertificate = new ClientCertificateCredential(...who, { certificatePath: cloud.certificate }, options);
  cloud.tellToken("certificate", (await byCertificate.getToken(cloud.graphScope)).token);
}
const refused = await new ClientSecretCredential(...who, cloud.wrongSecret, options).getToken(cloud.graphScope).then(
  () => "a token",
  (error) => error.message,
);
cloud.tell("wrong secret", { text: refused });

const ids = [];
for (let url = `${cloud.graph}/v1.0/security/incidents?$top=50`; url; ) {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  const page = await answer.json();
  ids.push(...page.value.map((incident) => incident.id));
  url = page["@odata.nextLink"];
}
cloud.tell("incidents", { ids });
