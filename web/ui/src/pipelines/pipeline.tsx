import { lazy, Suspense } from "react";
import type { PipelinePage, Run, Trigger } from "../api";
import { lasted } from "../format";
import { useLive } from "../live";
import { Mark } from "../part/mark";
import { Nothing, Section } from "../part/section";
import { Shown, Skeleton, Table, type Column } from "../part/table";
import { choose, Link, usePlace } from "../url";
import { Detail } from "./detail";
import { Found } from "./found";
import { Graph } from "./graph";
import { Start } from "./start";
import { Began } from "./pipelines";
import { pipelinePage, runPage, runText } from "./words";

const Editor = lazy(() => import("./editor"));

export default function Pipeline({ namespace, name }: { namespace: string; name: string }) {
  const { query } = usePlace();
  const first = query.get("edit") === "new" ? query.get("first") : null;
  return first ? <Fresh namespace={namespace} name={name} first={first} /> : <Stored namespace={namespace} name={name} />;
}

// Fresh is one that nobody has stored yet.
function Fresh({ namespace, name, first }: { namespace: string; name: string; first: string }) {
  return (
    <>
      <p className="verdict idle">
        <Link to="pipelines">← all pipelines</Link>
        <span>{name} is not there yet: it is once you save it.</span>
      </p>
      <Suspense fallback={<Skeleton />}>
        <Editor key={namespace + "/" + name} p={{ namespace, name }} first={first} />
      </Suspense>
    </>
  );
}

function Stored({ namespace, name }: { namespace: string; name: string }) {
  const answer = useLive<PipelinePage>(`pipelines/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`);
  return <Shown answer={answer}>{(p) => <One p={p} />}</Shown>;
}

function One({ p }: { p: PipelinePage }) {
  const { query } = usePlace();
  const chosen = query.get("stage");
  if (query.get("edit"))
    return (
      <>
        <p className="verdict idle">
          <Link to={pipelinePage(p)}>← {p.name}, as it is</Link>
        </p>
        <Suspense fallback={<Skeleton />}>
          <Editor key={p.namespace + "/" + p.name} p={p} />
        </Suspense>
      </>
    );
  const stage = p.graph.find((s) => s.name === chosen);
  return (
    <>
      <p className={"verdict " + (p.locked || p.problems ? "warn" : p.state)}>
        <Mark state={p.locked || p.problems ? "warn" : p.state} />
        <span>{p.locked ? `No run may begin: ${p.locked}` : p.problems ? `${p.problems} things are wrong with it` : p.description || p.name}</span>
        <Link to={pipelinePage(p)} chosen={{ edit: "yes" }}>
          Edit →
        </Link>
        {p.application && <Link to={`services/${p.namespace}/${p.application}`}>{p.application} →</Link>}
      </p>
      <Graph stages={p.graph} picked={stage?.name} onPick={(name) => choose("stage", name === chosen ? "" : name)} />
      {stage && <Detail s={stage} />}
      {p.found.length > 0 && (
        <Section title="Problems">
          <ul className="found">
            <Found all={p.found} />
          </ul>
        </Section>
      )}
      <Section title="What you can do">
        <Start p={p} />
      </Section>
      <Section title="Runs" note="the newest first">
        {p.runs.length ? <Table label="Runs" columns={runs} rows={p.runs} keyOf={runPage} page={runPage} /> : <Nothing>None yet.</Nothing>}
      </Section>
      {p.triggers.length > 0 && (
        <Section title="What starts it by itself">
          <Table label="Triggers" columns={triggers} rows={p.triggers} keyOf={(t) => t.name} />
        </Section>
      )}
    </>
  );
}

const runs: Column<Run>[] = [
  {
    head: "Run",
    kind: "name",
    cell: (r) => (
      <span className="named">
        <Mark state={r.state} />
        <span>
          <Link to={runPage(r)}>{r.name}</Link>
          <span className={"below " + r.state}>{runText(r)}</span>
        </span>
      </span>
    ),
  },
  { head: "State", kind: "wide", cell: (r) => <span className={r.state === "ok" ? "dim" : r.state}>{runText(r)}</span> },
  { head: "Why", kind: "why wide", cell: (r) => <span title={r.why}>{r.why}</span> },
  { head: "By", kind: "wide", cell: (r) => r.by || <span className="dim">{r.trigger}</span> },
  { head: "Started", kind: "num", cell: (r) => <Began run={r} /> },
  { head: "Took", kind: "num wide", cell: (r) => (r.ended ? lasted(new Date(r.started), new Date(r.ended)) : <span className="dim">–</span>) },
];

const triggers: Column<Trigger>[] = [
  { head: "Trigger", kind: "name", cell: (t) => <b>{t.name}</b> },
  { head: "Kind", cell: (t) => t.kind },
  { head: "State", cell: (t) => t.state },
  { head: "Next", kind: "wide", cell: (t) => (t.next ? new Date(t.next).toLocaleString() : <span className="dim">–</span>) },
  { head: "Why", kind: "why wide", cell: (t) => <span title={t.why}>{t.why}</span> },
];
