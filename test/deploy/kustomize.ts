import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { mergeStrategically } from "./strategic-merge.ts";

/**
 * As much of kustomize as the folders in deploy/kubernetes use, so that they are tested where there is no kustomize;
 * `kustomize.test.ts` compares the two where there is one. Anything else in a kustomization is an error here.
 */

/** A Kubernetes object as JSON. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Kustomization {
  readonly apiVersion: "kustomize.config.k8s.io/v1beta1";
  readonly kind: "Kustomization";
  readonly namespace?: string;
  readonly resources: readonly string[];
  /** Files with a strategic merge each, which names its object itself. */
  readonly patches?: readonly { readonly path: string }[];
  readonly images?: readonly { readonly name: string; readonly newTag: string }[];
  readonly secretGenerator?: readonly { readonly name: string; readonly files: readonly string[] }[];
  readonly generatorOptions?: {
    readonly disableNameSuffixHash: boolean;
    readonly labels: Readonly<Record<string, string>>;
  };
}

/** Objects that lie in no namespace. */
const CLUSTER_KINDS = ["Namespace"];

/**
 * The objects that `kubectl apply -k` would send.
 *
 * @param secrets contents of files that are not in the repository, by their path below the folder that names them
 */
export function render(folder: string, secrets: Readonly<Record<string, string>>): Manifest[] {
  const kustomization = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8")) as Kustomization;
  const {
    namespace,
    resources,
    patches = [],
    images = [],
    secretGenerator = [],
    generatorOptions,
    ...rest
  } = kustomization;
  const strange = Object.keys(rest).filter((field) => field !== "apiVersion" && field !== "kind");
  if (strange.length > 0) throw new Error(`${folder} uses ${strange.join(", ")}, which this renderer does not know`);
  if (secretGenerator.length > 0 && generatorOptions?.disableNameSuffixHash !== true) {
    throw new Error(`${folder} generates secrets with a hash in their names, which this renderer does not make`);
  }

  const read = resources.flatMap((resource) =>
    resource.endsWith(".yaml")
      ? parseAllDocuments(readFileSync(join(folder, resource), "utf8")).map((document) => document.toJS() as Manifest)
      : render(join(folder, resource), secrets),
  );
  const generated = secretGenerator.map(({ name, files }) => secret(name, files, secrets, generatorOptions?.labels));
  const placed = [...read, ...generated].map((manifest) => inNamespace(manifest, namespace));
  const patched = patches.reduce((manifests, { path }) => merged(manifests, join(folder, path)), placed);
  return patched.map((manifest) => withTags(manifest, images) as Manifest);
}

function secret(
  name: string,
  files: readonly string[],
  contents: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> = {},
): Manifest {
  const data = files.map((file) => {
    const [path = "", key = path.split("/").at(-1) ?? ""] = file.split("=").toReversed();
    const content = contents[path];
    if (content === undefined) throw new Error(`no content given for ${path} of Secret ${name}`);
    return [key, Buffer.from(content).toString("base64")];
  });
  return {
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name, labels }, type: "Opaque" },
    data: Object.fromEntries(data) as Record<string, string>,
  };
}

function inNamespace(manifest: Manifest, namespace: string | undefined): Manifest {
  if (namespace === undefined) return manifest;
  const { metadata } = manifest;
  return CLUSTER_KINDS.includes(manifest.kind)
    ? { ...manifest, metadata: { ...metadata, name: namespace } }
    : { ...manifest, metadata: { ...metadata, namespace } };
}

function merged(manifests: readonly Manifest[], path: string): Manifest[] {
  const patch = parse(readFileSync(path, "utf8")) as Manifest;
  const isTarget = ({ kind, metadata }: Manifest): boolean =>
    kind === patch.kind && metadata.name === patch.metadata.name && metadata.namespace === patch.metadata.namespace;
  if (manifests.filter(isTarget).length !== 1) throw new Error(`${path} is for no object that there is`);
  return manifests.map((each) => (isTarget(each) ? (mergeStrategically(each, patch) as Manifest) : each));
}

/** Images by the names in `images` get the tags given there, wherever a container names them. */
function withTags(value: unknown, images: readonly { name: string; newTag: string }[]): unknown {
  if (Array.isArray(value)) return value.map((item) => withTags(item, images));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, inner]) => {
      const image = field === "image" ? images.find(({ name }) => name === inner) : undefined;
      return [field, image === undefined ? withTags(inner, images) : `${image.name}:${image.newTag}`];
    }),
  );
}
