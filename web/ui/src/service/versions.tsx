import type { Version } from "../api";
import { millis, rate, share } from "../format";
import { Num } from "../part/number";
import { Table, type Column } from "../part/table";
import { parts } from "../part/versions";

interface Row extends Version {
  part: number;
  index: number;
}

const quiet = (v: Version) => v.calls.requests === 0;

const columns: Column<Row>[] = [
  {
    head: "Version",
    cell: (v) => (
      <span className="named">
        <i className={"swatch part" + (v.index % 4)} aria-hidden="true" />
        <b>{v.version || "not named"}</b>
      </span>
    ),
  },
  {
    head: "Healthy",
    kind: "num",
    cell: (v) => (
      <span className={v.healthy < v.instances ? "warn" : undefined}>
        {v.healthy}
        <span className="unit">of {v.instances}</span>
      </span>
    ),
  },
  { head: "Share", kind: "num", cell: (v) => <Num of={share(v.part)} /> },
  { head: "Requests", kind: "num", cell: (v) => <Num of={rate(v.calls.rate)} none={quiet(v)} /> },
  {
    head: "Success",
    kind: "num",
    cell: (v) => (
      <span className={v.calls.success < 0.99 ? "bad" : v.calls.success < 0.999 ? "warn" : undefined}>
        <Num of={share(v.calls.success)} none={quiet(v)} />
      </span>
    ),
  },
  { head: "p50", kind: "num wide", cell: (v) => <Num of={millis(v.calls.p50)} none={quiet(v)} /> },
  { head: "p99", kind: "num wide", cell: (v) => <Num of={millis(v.calls.p99)} none={quiet(v)} /> },
];

export function VersionTable({ versions }: { versions: Version[] }) {
  const of = parts(versions);
  const rows = versions.map((v, index) => ({ ...v, index, part: of[index]! }));
  const named = rows.some((v) => v.part > 0);
  const shown = named ? columns : columns.filter((c) => c.head === "Version" || c.head === "Healthy");
  return (
    <>
      {rows.length > 1 && named && (
        <div className="stack" aria-hidden="true">
          {rows
            .filter((v) => v.part > 0)
            .map((v) => (
              <span key={v.version} className={"part" + (v.index % 4)} style={{ flexGrow: v.part }} />
            ))}
        </div>
      )}
      <Table label="Versions" columns={shown} rows={rows} keyOf={(v) => v.version} />
    </>
  );
}
