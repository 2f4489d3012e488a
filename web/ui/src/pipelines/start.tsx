import { useState } from "react";
import type { CancelRequest, PipelinePage, RunPage, StartRequest } from "../api";
import { Act } from "../part/act";
import type { Written } from "../part/written";

type Parameter = PipelinePage["parameters"][number];

// Start asks for the parameters of a run, and starts it.
export function Start({ p }: { p: PipelinePage }) {
  const [given, setGiven] = useState<Record<string, string>>({});
  const value = (a: Parameter) => given[a.name] ?? a.default ?? "";
  const told = p.parameters.filter((a) => given[a.name] !== undefined && value(a) !== (a.default ?? ""));
  const flags = told.map((a) => ` -p ${quoted(`${a.name}=${value(a)}`)}`).join("");
  const missing = p.parameters.find((a) => a.required && !value(a));
  return (
    <Act
      name="Run"
      of={p.name}
      effect={`A run of its ${p.stages} stages begins${p.runs.some((r) => !r.ended) ? ", once it is its turn: another one goes on" : ""}.`}
      back="To undo that, cancel the run: what is half done is taken back."
      command={`weft pipeline run ${p.name}${flags} -n ${p.namespace}`}
      writes={{ kind: "PipelineRun", namespace: p.namespace, generateName: p.name + "-", spec: { pipeline: p.name, parameters: Object.fromEntries(told.map((a) => [a.name, value(a)])) } }}
      path={`pipelines/${encodeURIComponent(p.namespace)}/${encodeURIComponent(p.name)}/run`}
      body={() => (missing ? `It needs ${missing.name}.` : ({ parameters: Object.fromEntries(told.map((a) => [a.name, value(a)])) } satisfies StartRequest))}
      not={p.notStart}
    >
      {p.parameters.map((a) => (
        <label className="asked" key={a.name}>
          <span>
            {a.name} <span className="dim">{[a.description, a.required && "needed"].filter(Boolean).join("; ")}</span>
          </span>
          {a.options?.length ? (
            <select value={value(a)} onChange={(e) => setGiven({ ...given, [a.name]: e.target.value })}>
              {!a.options.includes(value(a)) && <option value={value(a)}>{value(a)}</option>}
              {a.options.map((o) => (
                <option key={o}>{o}</option>
              ))}
            </select>
          ) : (
            <input value={value(a)} maxLength={4096} onChange={(e) => setGiven({ ...given, [a.name]: e.target.value })} />
          )}
        </label>
      ))}
    </Act>
  );
}

const quoted = (text: string) => (/^[\w=.:\/-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

// decision is what somebody writes of a run.
export const decision = (r: RunPage, spec: { verb: string; stage?: string; attempt?: number; choice?: string; reason: string }): Written => ({
  kind: "Decision",
  namespace: r.namespace,
  generateName: `${r.name}-${spec.verb}-`,
  spec: { run: r.name, runUID: r.uid, ...spec },
});

// Cancel ends a run.
export function Cancel({ r }: { r: RunPage }) {
  const [reason, setReason] = useState("");
  return (
    <Act
      name="Cancel"
      of={r.name}
      effect="It ends, and what is half done is taken back: a release goes back to the version that served."
      back={`To undo that, start another run: weft pipeline run ${r.pipeline} -n ${r.namespace}`}
      command={`weft pipeline cancel ${r.name} -n ${r.namespace}`}
      writes={decision(r, { verb: "cancel", reason })}
      path={`runs/${encodeURIComponent(r.namespace)}/${encodeURIComponent(r.name)}/cancel`}
      body={() => ({ reason }) satisfies CancelRequest}
      not={r.notCancel}
    >
      <label className="asked">
        Reason, for who reads the record
        <input value={reason} maxLength={1024} onChange={(e) => setReason(e.target.value)} />
      </label>
    </Act>
  );
}
