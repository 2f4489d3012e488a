import type { ReleasePage } from "../api";
import { rate, share } from "../format";
import { Act } from "../part/act";
import { Command } from "../part/command";
import { Section } from "../part/section";
import { UndoAct } from "./undo";

const ended = new Set(["Succeeded", "RolledBack", "Failed"]);

// Choices are what a person can do, each with what it would change and the command for it.
export function Choices({ r }: { r: ReleasePage }) {
  return <Section title="What you can do">{r.phase === "Succeeded" ? <After r={r} /> : ended.has(r.phase) ? <Repaired r={r} /> : <During r={r} />}</Section>;
}

function After({ r }: { r: ReleasePage }) {
  return r.from ? <UndoAct r={r} /> : <p className="choice">There is nothing to undo: no version served before it.</p>;
}

function Repaired({ r }: { r: ReleasePage }) {
  return (
    <>
      <p className="choice">Release a repaired version: this one gets no requests but by its private address.</p>
      <Command text={`weft release start ${r.application} VERSION -n ${r.namespace}`} />
    </>
  );
}

function During({ r }: { r: ReleasePage }) {
  const path = `releases/${encodeURIComponent(r.namespace)}/${encodeURIComponent(r.name)}/`;
  const command = (verb: string) => `weft release ${verb} ${r.name} -n ${r.namespace}`;
  const of = `${r.application} ${r.version}`;
  const writes = (spec: object) => ({ kind: "Release", namespace: r.namespace, name: r.name, resource: "releases.weft.dev", spec });
  const now = r.versions.find((v) => v.version === r.version);
  const amount = now && now.calls.requests > 0 ? `${rate(now.calls.rate).join("")}, ${share(r.weight / 100).join("")} of all` : `${r.weight}% of all`;
  const back = r.phase === "RollingBack" || r.aborter ? "It is going back already." : undefined;
  return (
    <>
      <Act
        name="Abort"
        of={of}
        effect={`${r.version} gets no more requests (now ${amount})${r.from ? `, ${r.from} gets them all` : ""}.`}
        back={`To undo that, release it again: weft release start ${r.application} ${r.version} -n ${r.namespace}`}
        command={command("abort")}
        writes={writes({ abort: true })}
        path={path + "abort"}
        not={back}
      />
      <Act
        name="Promote"
        of={of}
        effect="It goes on where it would wait for a person. A version that is shown to be worse goes back all the same."
        back="To undo that, abort the release: it cannot be told to wait again."
        command={command("promote")}
        writes={writes({ promote: true })}
        path={path + "promote"}
        not={back ?? (r.promoter ? `${r.promoter} has done that.` : undefined)}
      />
      <p className="choice">Stop everything but the way back, for all releases.</p>
      <Command text="weft freeze --reason WHY" />
    </>
  );
}
