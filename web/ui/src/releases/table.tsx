import type { Release } from "../api";
import { ago, clock, lasted } from "../format";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { Table, type Column } from "../part/table";
import { Link } from "../url";

export const releasePage = (r: Release) => `releases/${r.namespace}/${r.name}`;

const words: Record<string, string> = {
  Pending: "waiting",
  Progressing: "under way",
  Inconclusive: "waits for a person",
  RollingBack: "going back",
  Succeeded: "succeeded",
  RolledBack: "rolled back",
  Failed: "failed",
};

export const phaseText = (r: Release) => words[r.phase] ?? r.phase;

const columns: Column<Release>[] = [
  {
    head: "Release",
    kind: "name",
    cell: (r) => (
      <span className="named">
        <Mark state={r.state} />
        <span>
          <Link to={releasePage(r)}>
            {r.application} {r.version}
          </Link>
          <span className="of">{r.from ? `${r.undo ? "undo of" : "after"} ${r.from}` : "the first"}</span>
          <span className={"below " + r.state}>{phaseText(r)}</span>
        </span>
      </span>
    ),
  },
  { head: "Phase", kind: "wide", cell: (r) => <span className={r.state === "ok" ? "dim" : r.state}>{phaseText(r)}</span> },
  { head: "Share", kind: "num", cell: (r) => <Num of={[String(r.weight), "%"]} /> },
  { head: "Why", kind: "why wide", cell: (r) => <span title={r.why}>{r.why}</span> },
  { head: "By", kind: "wide", cell: (r) => r.by || <span className="dim">–</span> },
  {
    head: "Started",
    kind: "num",
    cell: (r) => <span title={new Date(r.started).toLocaleString()}>{Date.now() - Date.parse(r.started) < 3_600_000 ? clock(new Date(r.started)) : ago(new Date(r.started), new Date())}</span>,
  },
  { head: "Took", kind: "num wide", cell: (r) => (r.ended ? lasted(new Date(r.started), new Date(r.ended)) : <span className="dim">–</span>) },
];

export function ReleaseTable({ releases, label }: { releases: Release[]; label: string }) {
  return <Table label={label} columns={columns} rows={releases} keyOf={releasePage} page={releasePage} />;
}
