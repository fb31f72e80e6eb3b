// An authorization server that is not ours (panva's oidc-provider) in front of a small EHR.
//
// Standard input: one JSON object {port, clients, style}. Prints "ready" when it answers.
// The EHR has one practitioner and a few patients; whoever is sent here is signed in at once.
import { createServer } from "node:http";
import { generateKeyPair, exportJWK } from "jose";
import Provider from "oidc-provider";

const input = JSON.parse(await new Promise((resolve) => {
  let text = "";
  process.stdin.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
}));
const base = `http://127.0.0.1:${input.port}`;
const fhir = `${base}/fhir`;

const RESOURCES = {
  "Practitioner/77": {
    resourceType: "Practitioner",
    id: "77",
    name: [{ family: "Rivera", given: ["Noor"] }],
    identifier: [{ system: "http://hl7.org/fhir/sid/us-npi", value: "1999999984" }],
  },
  "Patient/5": {
    resourceType: "Patient",
    id: "5",
    name: [{ family: "Lindqvist", given: ["Mara"] }],
    birthDate: "1961-03-04",
    gender: "female",
  },
};

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: "sig", kid: `provider-${alg}` };
}

const SCOPES = ["Patient", "Practitioner", "PractitionerRole", "Condition", "Coverage"].flatMap(
  (type) => [`user/${type}.r`, `user/${type}.rs`, `patient/${type}.r`, `patient/${type}.rs`],
);
const SYSTEM = ["CarePlan", "ServiceRequest", "Goal", "Observation", "Provenance", "Device", "DocumentReference", "QuestionnaireResponse", "Consent", "Communication"].map(
  (type) => `system/${type}.crus`,
);
const contexts = new Map(); // a grant's launch context

const provider = new Provider(base, {
  clients: input.clients,
  jwks: { keys: [await signingKey("RS256"), await signingKey("ES256")] },
  cookies: { keys: ["for synthetic people only"] },
  scopes: ["openid", "offline_access", "fhirUser", "launch", "launch/patient", ...SCOPES, ...SYSTEM],
  claims: { openid: ["sub"], fhirUser: ["fhirUser", "name"] },
  conformIdTokenClaims: false,
  // It refuses to fetch a client's keys from loopback, as it should; here everything is there.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  extraParams: ["launch", "aud"],
  clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  enabledJWA: { clientAuthSigningAlgValues: ["RS384", "ES384"] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
  ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 300, ClientCredentials: 300,
    Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 600 },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, fhirUser: `${fhir}/${id}`, name: "Noor Rivera" }),
  }),
});

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith("/interaction/")) return signIn(ctx);
  await next();
  if (ctx.path === "/token" && ctx.status === 200) Object.assign(ctx.body, launchContext(ctx));
});

async function signIn(ctx) {
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  if (params.aud !== fhir) ctx.throw(400, "aud is not this EHR");
  const asked = params.scope.split(" ");
  const accountId = asked.includes("launch/patient") ? "Patient/5" : "Practitioner/77";
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  const patient = asked.includes("launch") ? params.launch : "5";
  if (asked.some((scope) => scope.startsWith("launch"))) contexts.set(grantId, { patient });
  await provider.interactionFinished(ctx.req, ctx.res, {
    login: { accountId },
    consent: { grantId },
  });
  ctx.respond = false;
}

function launchContext(ctx) {
  const context = contexts.get(ctx.oidc.entities.Grant?.jti);
  return context
    ? { ...context, need_patient_banner: false, intent: "prescribe", smart_style_url: `${base}/style` }
    : {};
}

async function answerFhir(request, response) {
  const path = new URL(request.url, base).pathname.replace("/fhir/", "");
  const send = (status, body) => {
    response.writeHead(status, { "Content-Type": "application/fhir+json" });
    response.end(JSON.stringify(body));
  };
  if (path === ".well-known/smart-configuration") return send(200, await smartConfiguration());
  if (path === "metadata") return send(200, METADATA);
  const bearer = (request.headers.authorization ?? "").replace("Bearer ", "");
  const token =
    (await provider.AccessToken.find(bearer)) ?? (await provider.ClientCredentials.find(bearer));
  if (!token) return send(401, { resourceType: "OperationOutcome", issue: [] });
  if (!path.includes("/")) return send(200, { resourceType: "Bundle", type: "searchset", total: 0 });
  const found = RESOURCES[path];
  return found ? send(200, found) : send(404, { resourceType: "OperationOutcome", issue: [] });
}

// As oidc-provider describes itself, with what SMART adds.
async function smartConfiguration() {
  const own = await (await fetch(`${base}/.well-known/openid-configuration`)).json();
  return {
    ...own,
    scopes_supported: own.scopes_supported,
    capabilities: ["launch-ehr", "launch-standalone", "client-public", "permission-v2",
      "permission-user", "permission-patient", "permission-offline", "sso-openid-connect"],
  };
}

const METADATA = {
  resourceType: "CapabilityStatement",
  fhirVersion: "4.0.1",
  rest: [{ mode: "server", resource: [{ type: "Patient", interaction: [{ code: "read" }] }] }],
};

const callback = provider.callback();
createServer((request, response) => {
  if (request.url.startsWith("/fhir/")) {
    answerFhir(request, response).catch(() => response.writeHead(500).end());
  } else if (request.url === "/style") {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ color_background: "#f4f1ea" }));
  } else {
    callback(request, response);
  }
}).listen(input.port, "127.0.0.1", () => console.log("ready"));
