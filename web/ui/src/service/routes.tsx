import type { Route } from "../api";
import { Table, type Column } from "../part/table";

const unset = <span className="dim">as usual</span>;

const columns: Column<Route>[] = [
  {
    head: "Request",
    kind: "text",
    cell: (r) => (
      <>
        <b>{r.match}</b>
        {r.via !== "mesh" && <span className="of">at {r.via}</span>}
      </>
    ),
  },
  { head: "Goes to", kind: "text", cell: (r) => r.action },
  { head: "Timeout", kind: "wide", cell: (r) => r.timeout || unset },
  { head: "Retries", kind: "wide", cell: (r) => r.retries || unset },
  {
    head: "Written in",
    kind: "text wide",
    cell: (r) => (
      <>
        {r.from.object} <code className="dim">{r.from.file ? `${r.from.path} ${r.from.file}` : r.from.path}</code>
      </>
    ),
  },
];

export function Routes({ routes }: { routes: Route[] }) {
  return <Table label="Routes" columns={columns} rows={routes} keyOf={(r) => r.from.object + r.from.path + r.via} />;
}
