import { useEffect, useId, useState } from "react";
import type { Edited, Field } from "../api";
import { Nothing, Section } from "../part/section";
import { choose } from "../url";
import type { Change, Kinds } from "./editor";

// Form changes one stage, or adds one. Its fields are those of the schema.
export function Form({ kinds, edited, stage, onChange }: { kinds: Kinds; edited?: Edited; stage?: string; onChange: Change }) {
  const s = edited?.graph.find((o) => o.name === stage);
  const values = (stage && edited?.values[stage]) || {};
  if (!s)
    return (
      <Section title="Stage">
        <Nothing>Choose a stage above to change it.</Nothing>
        <Adding kinds={kinds} edited={edited} onChange={onChange} />
      </Section>
    );
  const row = (prefix: string) => (f: Field) => <Input key={s.name + prefix + f.name} f={f} value={values[prefix + f.name] ?? ""} onChange={(value) => onChange({ stage: s.name, field: prefix + f.name, value })} />;
  return (
    <Section title={s.name} note={s.kind}>
      <div className="fields">
        {(kinds[s.kind] ?? []).map(row(s.kind + "."))}
        {(kinds[""] ?? []).map(row(""))}
        <button
          type="button"
          onClick={() => {
            onChange({ stage: s.name, remove: true });
            choose("stage", "");
          }}
        >
          Take the stage out
        </button>
      </div>
      <Adding kinds={kinds} edited={edited} after={s.name} onChange={onChange} />
    </Section>
  );
}

interface InputProps {
  f: Field;
  value: string;
  onChange: (value: string) => void;
}

// An Input tells what was written once it is left, so that half a word is nothing that changes.
function Input({ f, value, onChange }: InputProps) {
  const [text, setText] = useState(value);
  const id = useId();
  useEffect(() => setText(value), [value]);
  const tell = () => text !== value && onChange(text);
  const common = { id, "aria-describedby": id + "help", value: text };
  const field = () => {
    if (f.type === "other") return <span className="dim">as YAML</span>;
    if (f.type === "truth" || f.type === "choice") {
      const options = f.type === "truth" ? ["true", "false"] : (f.options ?? []);
      return (
        <select {...common} onChange={(e) => onChange(e.target.value)}>
          <option value="">not said</option>
          {options.map((o) => (
            <option key={o}>{o}</option>
          ))}
        </select>
      );
    }
    if (f.type === "list" || f.long) return <textarea {...common} rows={Math.min(6, text.split("\n").length + 1)} onChange={(e) => setText(e.target.value)} onBlur={tell} />;
    return <input {...common} onChange={(e) => setText(e.target.value)} onBlur={tell} onKeyDown={(e) => e.key === "Enter" && tell()} />;
  };
  return (
    <div className="asked">
      <label htmlFor={f.type === "other" ? undefined : id}>
        {f.name} {f.required && <span className="dim">needed</span>}
      </label>
      {field()}
      <span id={id + "help"} className="dim help">
        {f.help}
        {f.type === "list" && " One a line."}
      </span>
    </div>
  );
}

function Adding({ kinds, edited, after, onChange }: { kinds: Kinds; edited?: Edited; after?: string; onChange: Change }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState("wait");
  const taken = edited?.graph.some((s) => s.name === name);
  return (
    <fieldset className="adding">
      <legend>Add a stage{after && ` after ${after}`}</legend>
      <label>
        Name <input aria-label="Name" value={name} maxLength={40} onChange={(e) => setName(e.target.value)} />
      </label>
      <label>
        Kind{" "}
        <select aria-label="Kind" value={kind} onChange={(e) => setKind(e.target.value)}>
          {Object.keys(kinds)
            .filter((k) => k && k !== "unsupported")
            .sort()
            .map((k) => (
              <option key={k}>{k}</option>
            ))}
        </select>
      </label>
      <button
        type="button"
        disabled={!name || taken}
        onClick={() => {
          onChange({ stage: name, add: kind, after: after ? [after] : [] });
          choose("stage", name);
          setName("");
        }}
      >
        Add
      </button>
      {taken && <span className="warn">There is a stage of that name.</span>}
    </fieldset>
  );
}
