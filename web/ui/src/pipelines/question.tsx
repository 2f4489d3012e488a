import { useState } from "react";
import type { JudgeRequest, Question, RunPage, RunStage } from "../api";
import { lasted } from "../format";
import { Act } from "../part/act";
import { Mark } from "../part/mark";
import { decision } from "./start";

const stop = "stop";

// Questions are what a run asks people now, each with what they can answer.
export function Questions({ r }: { r: RunPage }) {
  return r.graph.map((s) => s.question && <One key={s.name} r={r} s={s} q={s.question} />);
}

function One({ r, s, q }: { r: RunPage; s: RunStage; q: Question }) {
  const next = r.graph.filter((o) => o.after.includes(s.name)).map((o) => o.title || o.name);
  const on = next.length > 0 ? `, and ${next.join(", ")} may begin` : ", and nothing waits for it";
  return (
    <section className="question" aria-label={"Question: " + (s.title || s.name)}>
      <h2>
        <Mark state="warn" />
        {s.title || s.name}
      </h2>
      <p className="asks">{q.text}</p>
      <p className="dim">
        <Who r={r} q={q} />
        {q.ends && ` It ends by itself in ${lasted(new Date(), new Date(q.ends))}.`}
      </p>
      {q.not && <p className="warn">You cannot answer it: {q.not}</p>}
      {q.choices.map((choice) => (
        <Answer key={choice} r={r} s={s} choice={choice} effect={choice === stop ? `${s.title || s.name} fails${failure[s.onFailure] ?? "."}` : `${s.title || s.name} is done with “${choice}”${on}.`} not={q.not && "See above."} />
      ))}
    </section>
  );
}

const failure: Record<string, string> = {
  fail: ", and the run with it; other branches are cancelled.",
  stop: ": what comes after it does not run.",
  continue: "; the run goes on as if it had not.",
  failLater: "; other branches go on, and then the run fails.",
};

function Who({ r, q }: { r: RunPage; q: Question }) {
  const who = q.roles.length > 0 ? `Somebody in ${q.roles.join(" or ")} may answer` : "Whoever may write decisions may answer";
  return (
    <>
      {who}
      {q.self ? "." : `, but not who started the run${r.by ? ` (${r.by})` : ""}.`}
    </>
  );
}

function Answer({ r, s, choice, effect, not }: { r: RunPage; s: RunStage; choice: string; effect: string; not?: string }) {
  const [reason, setReason] = useState("");
  const command = choice === stop ? `weft reject ${r.name} ${s.name}` : `weft approve ${r.name} ${s.name}${choice === "continue" ? "" : ` --choice '${choice}'`}`;
  return (
    <Act
      name={choice === "continue" ? "Continue" : choice === stop ? "Stop" : choice}
      of={r.name}
      effect={effect}
      back={choice === stop ? `To undo that, start another run: weft pipeline run ${r.pipeline} -n ${r.namespace}` : `An answer is not taken back; what follows ends by weft pipeline cancel ${r.name} -n ${r.namespace}`}
      command={`${command} -n ${r.namespace}`}
      writes={decision(r, { verb: "judge", stage: s.name, attempt: s.attempt ?? 1, choice, reason })}
      path={`runs/${encodeURIComponent(r.namespace)}/${encodeURIComponent(r.name)}/judge`}
      body={() => ({ stage: s.name, attempt: s.attempt ?? 1, choice, reason }) satisfies JudgeRequest}
      not={not}
    >
      <label className="asked">
        Reason, for who reads the record
        <input value={reason} maxLength={1024} onChange={(e) => setReason(e.target.value)} />
      </label>
    </Act>
  );
}
