// The snapshot of a profile: its base's elements with the differential laid onto them.
// Enough for our own profiles: it throws where a differential asks for more.

/**
 * @param {object} profile StructureDefinition with a differential
 * @param {Map<string, object>} bases R4's own StructureDefinitions by url
 */
export function withSnapshot(profile, bases) {
  const base = bases.get(profile.baseDefinition);
  const extension = bases.get("http://hl7.org/fhir/StructureDefinition/Extension");
  const elements = structuredClone(base.snapshot.element);
  for (const change of profile.differential.element) {
    let target = elements.find((e) => e.id === change.id);
    if (!target && change.sliceName) target = addSlice(elements, change, extension);
    if (!target) throw new Error(`${profile.id}: ${change.id} is not in the base`);
    check(profile, target, change);
    Object.assign(target, structuredClone(change));
  }
  return { ...profile, snapshot: { element: elements } };
}

function addSlice(elements, change, extension) {
  const parent = change.id.slice(0, change.id.lastIndexOf(":"));
  const place = elements.findIndex((e) => e.id === parent);
  if (place < 0) throw new Error(`${change.id}: nothing to slice`);
  let end = place + 1;
  while (end < elements.length && belongs(elements[end].id, parent)) end++;
  let children = elements
    .slice(place + 1, end)
    .filter((e) => e.id.startsWith(`${parent}.`))
    .map((e) => ({ ...structuredClone(e), id: change.id + e.id.slice(parent.length) }));
  if (parent.endsWith("extension")) {
    // An extension's slice is told by its url, which R4's definitions leave to its type.
    children = extension.snapshot.element.slice(1).map((e) => ({
      ...structuredClone(e),
      id: e.id.replace("Extension", change.id),
      path: e.path.replace("Extension", change.path),
    }));
    const url = change.type?.[0].profile?.[0];
    if (url) children.find((e) => e.id === `${change.id}.url`).fixedUri = url;
  }
  const head = structuredClone(elements[place]);
  delete head.slicing;
  const slice = { ...head, id: change.id, sliceName: change.sliceName, min: 0 };
  elements.splice(end, 0, slice, ...children);
  return slice;
}

function belongs(id, parent) {
  return id.startsWith(`${parent}.`) || id.startsWith(`${parent}:`);
}

/** A profile may only narrow. */
function check(profile, target, change) {
  const where = `${profile.id}: ${change.id}`;
  if (change.min !== undefined && change.min < target.min) throw new Error(`${where} widens min`);
  const most = (max) => (max === "*" ? Number.POSITIVE_INFINITY : Number(max));
  if (change.max !== undefined && most(change.max) > most(target.max)) {
    throw new Error(`${where} widens max`);
  }
  for (const { code } of change.type ?? []) {
    if (!target.type.some((t) => t.code === code)) throw new Error(`${where} adds type ${code}`);
  }
}
