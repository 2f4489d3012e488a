import { useEffect, useState } from "react";
import type { ReleasePage, UndoPlan, UndoRequest } from "../api";
import { read, type Refused } from "../client";
import { Act } from "../part/act";
import { Alert } from "../part/alert";

// UndoAct gives all traffic back to the version before, once its effect has been shown.
export function UndoAct({ r }: { r: ReleasePage }) {
  const [plan, setPlan] = useState<UndoPlan>();
  const [reason, setReason] = useState("");
  const path = `applications/${encodeURIComponent(r.namespace)}/${encodeURIComponent(r.application)}/undo`;
  const to = plan?.to ?? r.from!;
  return (
    <Act
      name="Undo"
      of={r.application}
      effect={`Every request goes back to ${to}, at once: nothing is judged.`}
      back={`To undo that: weft undo ${r.application} --to ${plan?.from ?? r.version} -n ${r.namespace}`}
      command={`weft undo ${r.application} --to ${to} -n ${r.namespace}`}
      writes={{ kind: "Release", namespace: r.namespace, generateName: r.application + "-undo-", spec: { application: r.application, version: to, undo: true, reason } }}
      path={path}
      body={() => plan && ({ to: plan.to, reason } satisfies UndoRequest)}
    >
      <Preview path={path} plan={plan} onPlan={setPlan} />
      <label className="asked">
        Reason, for who reads the record
        <input value={reason} maxLength={1024} onChange={(e) => setReason(e.target.value)} />
      </label>
    </Act>
  );
}

interface PreviewProps {
  path: string;
  plan?: UndoPlan;
  onPlan: (plan?: UndoPlan) => void;
}

// Preview is read anew whenever it is opened.
function Preview({ path, plan, onPlan }: PreviewProps) {
  const [refused, setRefused] = useState("");
  useEffect(() => {
    onPlan(undefined);
    read<UndoPlan>(path, {}).then(onPlan, (e: Refused) => setRefused(e.message));
  }, [path]);
  if (refused) return <Alert text={refused} />;
  if (!plan) return <p className="dim">What it would do is being read.</p>;
  return (
    <>
      <p>
        Now {plan.from ?? "nothing"} serves; then {plan.to} gets all traffic.
      </p>
      {plan.unknown && <p className="dim">What was changed beside it since is not known: {plan.unknown}</p>}
      {plan.changes.map((c) => (
        <div key={c.kind + c.name} className="changed">
          <p>
            {c.kind} {c.name} was changed since {plan.to} served: {c.becomes}
          </p>
          <pre tabIndex={0}>{c.text.join("\n")}</pre>
        </div>
      ))}
    </>
  );
}
