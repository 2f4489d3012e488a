import { Command } from "./command";

// Written is the object that an action writes: a new one, or a part of one that is there.
export type Written = { kind: string; namespace?: string; spec: object } & ({ generateName: string } | { name: string; resource: string });

// AsYAML shows it, with the command that writes it from a file.
export function AsYAML({ of: w }: { of: Written }) {
  const created = "generateName" in w;
  const object = created ? { apiVersion: "weft.dev/v1alpha1", kind: w.kind, metadata: { namespace: w.namespace, generateName: w.generateName }, spec: w.spec } : { spec: w.spec };
  const command = created ? "kubectl create -f FILE" : `kubectl patch ${w.resource} ${w.name} -n ${w.namespace} --type merge --patch-file FILE`;
  return (
    <details className="changed">
      <summary>as YAML</summary>
      <pre tabIndex={0}>{yaml(object)}</pre>
      <Command text={command} />
    </details>
  );
}

// yaml writes objects, lists and scalars; what is not given or empty is left out.
export function yaml(of: object, indent = ""): string {
  const lines = Object.entries(of).map(([key, value]) => {
    if (value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) return "";
    const name = indent + scalar(key) + ":";
    if (Array.isArray(value)) return `${name} [${value.map(scalar).join(", ")}]\n`;
    if (typeof value !== "object") return `${name} ${scalar(value)}\n`;
    const inner = yaml(value, indent + "  ");
    return inner && `${name}\n${inner}`;
  });
  return lines.join("");
}

const plain = /^[A-Za-z][\w/.-]*(?: [\w/.-]+)*$/;
const other = /^(?:true|false|yes|no|on|off|null|y|n)$/i; // what YAML takes for something else than text

const scalar = (value: unknown): string => (typeof value === "string" && plain.test(value) && !other.test(value) ? value : JSON.stringify(value));
