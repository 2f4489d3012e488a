import type { Pipeline, Pipelines as List, Run } from "../api";
import { ago, clock } from "../format";
import { Empty } from "../part/command";
import { Listed, useList } from "../part/listed";
import { Mark, shapes } from "../part/mark";
import { Shown, Table, type Column } from "../part/table";
import { Link } from "../url";
import { New } from "./new";
import { pipelinePage, runPage, runText } from "./words";

export default function Pipelines() {
  const answer = useList<List>("pipelines");
  return (
    <Shown answer={answer}>
      {(list) =>
        list.all === 0 ? (
          <>
            <Empty text="There is no pipeline. One brings a version into service by stages: checks, questions to people, deployments, releases." command="weft apply -f examples/pipelines" />
            <New />
          </>
        ) : (
          <Listed what="pipeline" where="its name, application or description" all={list.all} total={list.total} shown={list.pipelines.length}>
            <Table label="Pipelines, what waits for a person first" columns={columns} rows={list.pipelines} keyOf={pipelinePage} page={pipelinePage} />
            <New />
          </Listed>
        )
      }
    </Shown>
  );
}

const columns: Column<Pipeline>[] = [
  {
    head: "Pipeline",
    kind: "name",
    cell: (p) => (
      <span className="named">
        <Mark state={p.state} />
        <span>
          <Link to={pipelinePage(p)}>{p.name}</Link>
          <span className="of">{p.application && p.application !== p.name ? `of ${p.application}` : p.namespace}</span>
          <Now p={p} below />
        </span>
      </span>
    ),
  },
  { head: "Now", kind: "why wide", cell: (p) => <Now p={p} /> },
  { head: "Runs", cell: (p) => <Newest runs={p.runs} /> },
  { head: "By", kind: "wide", cell: (p) => p.runs[0]?.by || <span className="dim">{p.runs[0]?.trigger ?? "–"}</span> },
  { head: "Started", kind: "num", cell: (p) => <Began run={p.runs[0]} /> },
];

export function Began({ run }: { run?: Run }) {
  if (!run) return <span className="dim">–</span>;
  const at = new Date(run.started);
  return <span title={at.toLocaleString()}>{Date.now() - at.getTime() < 3_600_000 ? clock(at) : ago(at, new Date())}</span>;
}

// Now is what somebody should know of it: its run that waits for a person, or else the newest.
function Now({ p, below }: { p: Pipeline; below?: boolean }) {
  const run = p.runs.find((r) => r.state === p.state) ?? p.runs[0];
  const kind = below ? "below " : "";
  if (p.locked) return <span className={kind + "warn"}>locked: {p.locked}</span>;
  if (!run) return <span className={kind + "dim"}>{p.disabled ? "disabled; no runs yet" : "no runs yet"}</span>;
  const said = run.state === "ok" ? "dim" : run.state;
  return (
    <span className={kind + said} title={run.why}>
      <Link to={runPage(run)}>{run.name}</Link> {runText(run)}
      {run.why && run.phase !== "Succeeded" && ": " + run.why}
    </span>
  );
}

// Newest are the last runs as marks, the newest at the right.
function Newest({ runs }: { runs: Run[] }) {
  return (
    <span className="newest">
      {runs.toReversed().map((r) => (
        <Link key={r.name} to={runPage(r)} title={`${r.name} ${runText(r)}`} aria-label={`${r.name} ${runText(r)}`}>
          <svg className={"mark " + r.state} viewBox="0 0 12 12" aria-hidden="true">
            {shapes[r.state]}
          </svg>
        </Link>
      ))}
    </span>
  );
}
