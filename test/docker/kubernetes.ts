import { type TextFile, yamlOf } from './definitions.js';

export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a shape of its own, which the schema checks
  readonly spec?: any;
  readonly data?: Readonly<Record<string, string>>;
}

/** What the base says, with the patch for every server laid over it as kustomize does. */
export function baseResources(files: readonly TextFile[]): Resource[] {
  const read = (path: string) => yamlOf(files.find((file) => file.path === `kubernetes/base/${path}`)!.text);
  const [kustomization] = read('kustomization.yaml') as { resources: string[] }[];
  const [patch] = read('every-server.yaml') as Resource[];
  return kustomization!.resources
    .flatMap((path) => read(path) as Resource[])
    .map((it) => (isWorkload(it) ? { ...it, spec: merged(it.spec, patch!.spec) } : it));
}

export function isWorkload({ kind }: Resource): boolean {
  return kind === 'StatefulSet' || kind === 'Deployment';
}

type Tree = { [key: string]: unknown };

/** Maps by key, lists by the name of their elements, or by where they are mounted, or by port. */
function merged(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) {
    const keyOf = (it: Tree) => it.mountPath ?? it.containerPort ?? it.name;
    const rest = patch.filter((it) => !base.some((own) => keyOf(own) === keyOf(it)));
    return [...base.map((own) => merged(own, patch.find((it) => keyOf(it) === keyOf(own)) ?? {})), ...rest];
  }
  if (typeof base !== 'object' || typeof patch !== 'object') return patch;
  const result: Tree = { ...(base as Tree) };
  for (const [key, value] of Object.entries(patch as Tree))
    result[key] = key in result ? merged(result[key], value) : value;
  return result;
}

/**
 * What the schema of its kind has against a resource. The schema's code reads the fields that it knows and passes over
 * any other, as the API server does; so what it has not read is a misspelt name.
 */
export async function complaintsOf(resource: Resource): Promise<string[]> {
  const models = (await import(`kubernetes-models/${resource.apiVersion}`)) as Record<
    string,
    new (
      data: unknown,
    ) => { validate(): void }
  >;
  const Model = models[resource.kind];
  if (Model === undefined) return [`${resource.apiVersion} has no ${resource.kind}`];
  const unread: string[] = [];
  const watched = new Watched(resource as unknown as Tree, '');
  const model = new Model({});
  for (const [key, value] of Object.entries(watched.proxy))
    Object.defineProperty(model, key, { value, enumerable: true });
  try {
    model.validate();
  } catch (error) {
    return [(error as Error).message];
  }
  watched.unread(unread);
  return unread;
}

/** Remembers which fields were read. */
class Watched {
  readonly proxy: Tree;
  readonly #read = new Set<string>();
  readonly #inner = new Map<string, Watched>();
  readonly #own: Tree;
  readonly #path: string;

  constructor(own: Tree, path: string) {
    this.#own = own;
    this.#path = path;
    this.proxy = new Proxy(own, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return value;
        this.#read.add(key);
        if (typeof value !== 'object' || value === null) return value;
        if (!this.#inner.has(key)) this.#inner.set(key, new Watched(value as Tree, `${path}.${key}`));
        return this.#inner.get(key)!.proxy;
      },
    });
  }

  unread(into: string[]): void {
    for (const key of Object.keys(this.#own)) if (!this.#read.has(key)) into.push(`${this.#path}.${key}`.slice(1));
    for (const inner of this.#inner.values()) inner.unread(into);
  }
}
