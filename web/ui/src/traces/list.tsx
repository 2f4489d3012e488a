import type { Summary } from "../api";
import { clock, millis } from "../format";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { Table, type Column } from "../part/table";
import { Link } from "../url";

export const nano = (ns: number) => millis(ns / 1e6);

export const named = (s: { namespace?: string; service: string }) => (s.namespace ? s.namespace + "/" : "") + s.service;

const columns: Column<Summary>[] = [
  {
    head: "Request",
    kind: "name",
    cell: (t) => (
      <span className="named">
        <Mark state={t.failed ? "bad" : "ok"} />
        <span>
          <Link to="traces" chosen={{ trace: t.id }}>
            {t.name}
          </Link>
          <span className="of">by {named(t)}</span>
        </span>
      </span>
    ),
  },
  { head: "Through", kind: "why wide", cell: (t) => <span className="dim">{t.services.join(", ")}</span> },
  { head: "Steps", kind: "num wide", cell: (t) => t.spans },
  { head: "Step found", kind: "num wide", cell: (t) => <Num of={nano(t.found)} /> },
  { head: "Took", kind: "num", cell: (t) => <Num of={nano(t.duration)} /> },
  { head: "Began", kind: "num", cell: (t) => clock(new Date(t.start)) },
];

export function TraceTable({ traces, label }: { traces: Summary[]; label: string }) {
  return <Table label={label} columns={columns} rows={traces} keyOf={(t) => t.id} />;
}
