export interface LookUp<Thing> {
  /** The one thing that is meant, if it is clear which. */
  readonly found?: Thing;
  /** Else the things that may be meant, perhaps none. */
  readonly candidates: readonly Thing[];
}

/**
 * Finds by name: the whole name first, then its beginning, then any part of it; the first rule that fits anything
 * decides. Names of the same thing are tried in their order, so a login name goes before somebody's nick name.
 */
export function lookUp<Thing>(
  query: string,
  things: Iterable<Thing>,
  namesOf: (thing: Thing) => readonly string[],
): LookUp<Thing> {
  const wanted = query.trim().toLowerCase();
  const all = [...things].map((thing) => [thing, namesOf(thing).map((name) => name.toLowerCase())] as const);
  const nameCount = Math.max(0, ...all.map(([, names]) => names.length));
  const rules: ((names: readonly string[]) => boolean)[] = [
    ...Array.from({ length: nameCount }, (_, index) => (names: readonly string[]) => names[index] === wanted),
    (names) => names.some((name) => name.startsWith(wanted)),
    (names) => names.some((name) => name.includes(wanted)),
  ];
  for (const rule of wanted === '' ? [] : rules) {
    const candidates = all.filter(([, names]) => rule(names)).map(([thing]) => thing);
    if (candidates.length === 1) return { found: candidates[0]!, candidates };
    if (candidates.length > 1) return { candidates };
  }
  return { candidates: [] };
}
