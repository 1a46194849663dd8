// Where the cloud is and who we are there, as the test hands it over by environment variables.
// Without SORTIE_CLOUD the clients get no address at all: they go to Microsoft's own names, which lead to the emulator.

import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const folder = process.env.SORTIE_INTEROP_NODE;

/** The clients are installed outside the tree, where a bare import does not look. */
export const require = createRequire(join(folder, "clients.cjs"));

export const address = process.env.SORTIE_CLOUD ?? "";
export const login = address || "https://login.microsoftonline.com";
export const graph = address || "https://graph.microsoft.com";
export const graphScope = "https://graph.microsoft.com/.default";
export const tenant = process.env.SORTIE_TENANT;
export const clientId = process.env.SORTIE_CLIENT_ID;
export const secret = process.env.SORTIE_SECRET;
export const wrongSecret = "not~the~secret~of~this~application";
export const certificate = process.env.SORTIE_CERTIFICATE;

/** One finding, for the test to judge. Tokens and secrets stay out. */
export function tell(check, found) {
  console.log(JSON.stringify({ check, ...found }));
}

export function tellToken(check, token) {
  const seen = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
  const roles = [...(seen.roles ?? [])].sort();
  tell(check, { audience: seen.aud, roles, proof: seen.appidacr, client: seen.appid });
}

export function tellVersions(...packages) {
  const version = (name) => JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"))).version;
  tell("versions", Object.fromEntries(packages.map((name) => [name, version(name)])));
}
