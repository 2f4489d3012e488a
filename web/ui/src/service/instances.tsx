import type { Workload } from "../api";
import { Mark } from "../part/mark";
import { Table, type Column } from "../part/table";

const columns: Column<Workload>[] = [
  {
    head: "Instance",
    cell: (w) => (
      <span className="named">
        <Mark state={w.health === "Healthy" ? "ok" : w.health === "Draining" ? "changing" : "bad"} />
        {w.id}
      </span>
    ),
  },
  { head: "Version", cell: (w) => w.version || <span className="dim">–</span> },
  { head: "Health", cell: (w) => w.health.toLowerCase() },
  { head: "Address", kind: "wide", cell: (w) => <code>{w.address}</code> },
];

export function Instances({ instances }: { instances: Workload[] }) {
  return <Table label="Instances" columns={columns} rows={instances} keyOf={(w) => w.id} />;
}
