import type { RunEvent, RunPage } from "../api";
import { clock, lasted } from "../format";
import { useLive } from "../live";
import { Command } from "../part/command";
import { Facts, type Fact } from "../part/facts";
import { Mark } from "../part/mark";
import { Nothing, Section } from "../part/section";
import { Shown } from "../part/table";
import { choose, Link, usePlace } from "../url";
import { Detail } from "./detail";
import { Graph } from "./graph";
import { Questions } from "./question";
import { Cancel } from "./start";
import { pipelinePage, runText } from "./words";

export default function Run({ namespace, name }: { namespace: string; name: string }) {
  const answer = useLive<RunPage>(`runs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`);
  return <Shown answer={answer}>{(r) => <One r={r} />}</Shown>;
}

function One({ r }: { r: RunPage }) {
  const chosen = usePlace().query.get("stage");
  // Who has not chosen sees what the run is at.
  const now = r.graph.find((s) => s.name === chosen) ?? r.graph.find((s) => s.phase === "Asking") ?? r.graph.find((s) => s.phase === "Failed") ?? r.graph.find((s) => s.phase === "Running");
  return (
    <>
      <p className={"verdict " + r.state}>
        <Mark state={r.state} />
        <span>
          {r.pipeline} {runText(r)}
        </span>
      </p>
      {r.asks.length === 0 && <p className="because">{r.why}</p>}
      <Questions r={r} />
      {r.graph.length > 0 ? <Graph stages={r.graph} picked={now?.name} onPick={(name) => choose("stage", name)} /> : <Nothing>What it was to do is gone: its definition was deleted.</Nothing>}
      <div className="beside">
        <div>
          {now && <Detail s={now} />}
          <Events r={r} />
        </div>
        <aside>
          <Who r={r} />
          <Section title="What you can do">
            {r.ended ? <p className="choice">Start another run on the page of {<Link to={pipelinePage({ namespace: r.namespace, name: r.pipeline })}>{r.pipeline}</Link>}.</p> : <Cancel r={r} />}
            <Command text={`weft pipeline show ${r.name} -n ${r.namespace}`} />
          </Section>
        </aside>
      </div>
    </>
  );
}

// What people read; what the machine notes of its own work is left out.
const told: Record<string, string> = {
  RunStarted: "began",
  RunCancelled: "",
  RunEnded: "",
  StageStarted: "began",
  StageSkipped: "skipped",
  StageNote: "",
  StageEnded: "ended",
  StageEnding: "has to end",
  Asked: "asks",
  Resumed: "asks no longer",
  Judged: "",
  ActionUnknown: "nobody knows whether it acted",
};

function Events({ r }: { r: RunPage }) {
  const shown = r.events.filter((e) => told[e.kind] !== undefined && (e.text || told[e.kind]));
  return (
    <Section title="What happened, and who did it" note="the newest first">
      <ol className="events">
        {shown.map((e, i) => (
          <li key={e.time + e.kind + e.stage + i}>
            <time dateTime={e.time} title={new Date(e.time).toLocaleString()}>
              {clock(new Date(e.time))}
            </time>
            <span>{sentence(e)}</span>
          </li>
        ))}
        {shown.length === 0 && <li className="dim">Nothing yet.</li>}
      </ol>
      {r.sealed > 0 && <p className="dim">What came before is stored in {r.sealed} chapters beside it.</p>}
    </Section>
  );
}

const sentence = (e: RunEvent) => [[e.stage, told[e.kind]].filter(Boolean).join(" "), e.text].filter(Boolean).join(": ");

function Who({ r }: { r: RunPage }) {
  const facts: Fact[] = [
    ["Pipeline", <Link to={pipelinePage({ namespace: r.namespace, name: r.pipeline })}>{r.pipeline}</Link>],
    ["Application", r.application],
    ["By", r.by],
    ["Trigger", r.trigger],
    ["Called by", r.parents.at(-1)?.split("/").at(-1)],
    ["Started", new Date(r.started).toLocaleString()],
    [r.ended ? "Took" : "Runs for", lasted(new Date(r.started), r.ended ? new Date(r.ended) : new Date())],
    ...Object.entries(r.parameters),
    ...Object.entries(r.facts),
  ];
  return (
    <Section title="Who and what">
      <Facts all={facts} />
    </Section>
  );
}
