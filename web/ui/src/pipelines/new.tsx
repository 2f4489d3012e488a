import { useState, type FormEvent } from "react";
import { go, hrefOf } from "../url";
import { pipelinePage } from "./words";

const firsts = [
  ["deploy", "deploy, ask, release"],
  ["empty", "one stage that waits"],
] as const;

// New leads to the editor of a pipeline that is not there yet.
export function New() {
  const [name, setName] = useState("");
  const [namespace, setNamespace] = useState("default");
  const [first, setFirst] = useState<string>("deploy");
  const begin = (e: FormEvent) => {
    e.preventDefault();
    if (name && namespace) go(hrefOf(pipelinePage({ namespace, name }), { edit: "new", first }));
  };
  return (
    <form onSubmit={begin}>
      <fieldset className="adding">
        <legend>New pipeline</legend>
        <label>
          Name <input value={name} required maxLength={63} pattern="[a-z0-9]([\-a-z0-9]*[a-z0-9])?" title="small letters, digits and -" onChange={(e) => setName(e.target.value)} />
        </label>
        <label>
          Namespace <input value={namespace} required maxLength={63} pattern="[a-z0-9]([\-a-z0-9]*[a-z0-9])?" title="small letters, digits and -" onChange={(e) => setNamespace(e.target.value)} />
        </label>
        <label>
          Begins with{" "}
          <select value={first} onChange={(e) => setFirst(e.target.value)}>
            {firsts.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <button>Write it</button>
      </fieldset>
    </form>
  );
}
