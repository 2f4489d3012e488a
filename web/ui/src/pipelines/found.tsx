import type { Problem } from "../api";

// Found are problems of a pipeline, as elements of a list.
export function Found({ all }: { all: Problem[] }) {
  return all.map((f) => (
    <li key={f.path + f.message}>
      {f.path && <code>{f.path}</code>}
      <p>{f.message}</p>
    </li>
  ));
}
