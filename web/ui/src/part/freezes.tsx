import { useState, type ReactNode } from "react";
import type { Freeze, FreezeRequest } from "../api";
import { useLive } from "../live";
import { Act } from "./act";
import { Mark } from "./mark";

// Frozen has above a list the freezes that hold, each with who, why and whom it lets through, and else below it how to freeze.
export function Frozen({ children }: { children: ReactNode }) {
  const all = useLive<Freeze[]>("freezes").data;
  const holding = all?.filter((f) => f.holds) ?? [];
  return (
    <>
      {holding.map((f) => (
        <Banner key={f.name} f={f} />
      ))}
      {children}
      {all && holding.length === 0 && <Stop />}
    </>
  );
}

function Banner({ f }: { f: Freeze }) {
  return (
    <section className="frozen" aria-label="Frozen">
      <p>
        <Mark state="warn" />
        <span>
          <b>Frozen: {f.what}</b>, by {f.by || "somebody"}: {f.reason}. {f.until ? `Until ${new Date(f.until).toLocaleString()}. ` : ""}
          <span className="dim">What acts waits; what goes back goes{f.except.length > 0 ? `, and what ${f.except.join(", ")} start` : ""}.</span>
        </span>
      </p>
      <Act
        name="Lift"
        of={`the freeze ${f.name}`}
        effect="What waits for it goes on, at once."
        back={`To undo that, freeze again: weft freeze --name ${f.name} --reason '${f.reason}'`}
        command={`weft unfreeze ${f.name}`}
        path={`freezes/${encodeURIComponent(f.name)}/lift`}
      />
    </section>
  );
}

const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);
const flag = (name: string, text: string) => (words(text).length ? ` --${name} ${words(text).join(",")}` : "");

// ends is when a time, or so long from now, is.
function ends(text: string): string {
  const [, n, unit] = text.match(/^(\d+)([mh])$/) ?? [];
  const at = n ? new Date(Date.now() + Number(n) * (unit === "h" ? 3600e3 : 60e3)) : new Date(text);
  return isNaN(at.getTime()) ? "" : at.toISOString();
}

function Stop() {
  const [asked, setAsked] = useState({ reason: "", namespaces: "", applications: "", except: "", until: "" });
  const field = (name: keyof typeof asked, label: string, hint: string) => (
    <label className="asked">
      <span>
        {label} <span className="dim">{hint}</span>
      </span>
      <input value={asked[name]} maxLength={512} onChange={(e) => setAsked({ ...asked, [name]: e.target.value })} />
    </label>
  );
  const request: FreezeRequest = {
    reason: asked.reason,
    namespaces: words(asked.namespaces),
    applications: words(asked.applications),
    except: words(asked.except),
    until: asked.until.trim(),
  };
  return (
    <div className="freezing">
      <Act
        name="Freeze"
        of="releases and pipelines"
        effect="Nothing new is brought into service: what acts waits, a release that shifts traffic holds at its share. What goes back goes."
        back="To undo that: weft unfreeze"
        command={`weft freeze --reason '${asked.reason || "WHY"}'${flag("namespace", asked.namespaces)}${flag("application", asked.applications)}${flag("except", asked.except)}${asked.until ? ` --until ${asked.until.trim()}` : ""}`}
        writes={{ kind: "Freeze", generateName: "freeze-", spec: { ...request, until: ends(asked.until.trim()) } }}
        path="freezes"
        body={() => (request.reason ? request : "Say why, for those who wait.")}
      >
        {field("reason", "Reason", "for those who wait")}
        {field("namespaces", "Namespaces", "that are frozen; none: all")}
        {field("applications", "Applications", "that are frozen; none: all")}
        {field("except", "Except", "groups whose runs and releases are let through")}
        {field("until", "Until", "such as 2h or 2026-11-30T08:00:00Z; none: until it is lifted")}
      </Act>
    </div>
  );
}
