import { useEffect, useRef, useState } from "react";
import type { Edited, Field, PipelineText, TextChange } from "../api";
import { read, write, type Refused } from "../client";
import { Act } from "../part/act";
import { Alert } from "../part/alert";
import { Mark } from "../part/mark";
import { Section } from "../part/section";
import { Skeleton } from "../part/table";
import { choose, usePlace } from "../url";
import { changed, type Line } from "./diff";
import { Form } from "./form";
import { Found } from "./found";
import { Graph } from "./graph";

const pause = 400; // ms after the last key that a text is checked

interface Named {
  namespace: string;
  name: string;
}

// Editor is a graph, a form and YAML of one text. Nothing is stored before somebody has seen what changes. A pipeline that
// is not there yet begins with first.
export default function Editor({ p, first }: { p: Named; first?: string }) {
  const path = `pipelines/${encodeURIComponent(p.namespace)}/${encodeURIComponent(p.name)}/`;
  const [base, setBase] = useState<PipelineText>();
  const [refused, setRefused] = useState("");
  const reread = () => read<PipelineText>(path + "text", { first }).then(setBase, (e: Refused) => setRefused(e.message));
  useEffect(() => {
    void reread();
  }, [path, first]);
  if (refused) return <Alert text={refused} />;
  if (!base) return <Skeleton />;
  return <Document p={p} path={path} base={base} reread={reread} />;
}

function Document({ p, path, base, reread }: { p: Named; path: string; base: PipelineText; reread: () => Promise<void> }) {
  const [text, setText] = useState(base.text);
  const { edited, refused, change } = useChecked(path, base, text, setText);
  const chosen = usePlace().query.get("stage");
  const fresh = base.version === "";
  const lines = fresh ? text.trimEnd().split("\n").map((line): Line => ({ sign: "+", text: line })) : changed(base.text, text);
  const stage = edited?.graph.find((s) => s.name === chosen);
  const wrong = edited?.conflict ? "Somebody changed it since you opened it." : edited?.refused || (edited?.problems[0] && "Something is wrong with it: see above.");
  return (
    <>
      {edited?.conflict && (
        <p className="conflict" role="alert">
          <Mark state="warn" />
          <span>Somebody changed this pipeline since you opened it. What you wrote is still here, and nothing is stored.</span>
          <button type="button" onClick={() => void reread()}>
            Compare with what is there now
          </button>
        </p>
      )}
      {edited && edited.graph.length > 0 && <Graph stages={edited.graph} picked={stage?.name} onPick={(name) => choose("stage", name === chosen ? "" : name)} />}
      <div className="editor">
        <Form kinds={base.kinds} edited={edited} stage={stage?.name} onChange={change} />
        <Section title="YAML" note="the same document">
          <textarea aria-label="YAML" spellCheck={false} value={text} rows={Math.min(40, text.split("\n").length + 1)} onChange={(e) => setText(e.target.value)} />
        </Section>
      </div>
      <Problems edited={edited} refused={refused} />
      <Section title="What changes" note={lines.length ? undefined : "nothing yet"}>
        <Difference lines={lines} />
        {lines.length > 0 && (
          <Act
            name="Save"
            of={p.name}
            effect={fresh ? "From then on the pipeline is there, and can be run. Nothing runs before somebody or one of its triggers starts it." : "Runs that begin from now on are as it says; those that have begun go on as they are."}
            back={fresh ? `To undo that: kubectl delete pipelines.weft.dev ${p.name} -n ${p.namespace}` : "To undo that, save the text as it was: the lines with - are it."}
            command={`weft apply -f ${p.name}.yaml`}
            path={path + "save"}
            body={() => ({ text, version: base.version })}
            not={wrong || undefined}
          >
            <Difference lines={lines} />
          </Act>
        )}
      </Section>
    </>
  );
}

// useChecked asks what a server says of the text: soon after the last key, and at once of what the form changes.
function useChecked(path: string, base: PipelineText, text: string, setText: (text: string) => void) {
  const [edited, setEdited] = useState<Edited>();
  const [refused, setRefused] = useState("");
  const newest = useRef(0);
  const known = useRef("");
  const ask = async (request: string, change?: TextChange) => {
    const own = ++newest.current;
    try {
      const answer = await write<Edited>(path + "edit", { text: request, version: base.version, ...(change && { change }) });
      if (own !== newest.current) return;
      known.current = answer.text + base.version;
      setEdited(answer);
      setRefused("");
      if (change) setText(answer.text);
    } catch (e) {
      if (own === newest.current) setRefused((e as Refused).message);
    }
  };
  useEffect(() => {
    if (known.current === text + base.version) return;
    const timer = setTimeout(() => void ask(text), edited ? pause : 0);
    return () => clearTimeout(timer);
  }, [text, base.version]);
  return { edited, refused, change: (change: TextChange) => void ask(text, change) };
}

function Problems({ edited, refused }: { edited?: Edited; refused: string }) {
  const found = edited?.problems ?? [];
  if (found.length === 0 && !refused && (!edited?.refused || edited.conflict)) return null;
  return (
    <Section title="What is wrong with it">
      <ul className="found" aria-live="polite">
        {refused && <li>{refused}</li>}
        {edited?.refused && !edited.conflict && <li>It would not be stored: {edited.refused}</li>}
        <Found all={found} />
      </ul>
    </Section>
  );
}

function Difference({ lines }: { lines: Line[] }) {
  if (lines.length === 0) return null;
  return (
    <pre className="diff" tabIndex={0} aria-label="Differences">
      {lines.map((l, i) => (
        <span key={i} className={l.sign === "+" ? "added" : l.sign === "-" ? "gone" : "dim"}>
          {l.sign} {l.text + "\n"}
        </span>
      ))}
    </pre>
  );
}

export type Change = (change: TextChange) => void;
export type Kinds = Record<string, Field[]>;
