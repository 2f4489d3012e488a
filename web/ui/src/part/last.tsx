import { choose } from "../url";

interface Props {
  label: string;
  name: string; // in the URL, which does not have the usual value
  value: string;
  usual: string;
  all: readonly (readonly [value: string, text: string])[];
}

// Last chooses how far back is shown.
export function Last({ label, name, value, usual, all }: Props) {
  return (
    <select aria-label={label} value={value} onChange={(e) => choose(name, e.target.value === usual ? "" : e.target.value)}>
      {all.map(([value, text]) => (
        <option key={value} value={value}>
          last {text}
        </option>
      ))}
    </select>
  );
}
