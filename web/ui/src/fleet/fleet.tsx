import type { Fleet as List, Member } from "../api";
import { Empty } from "../part/command";
import { Listed, useList } from "../part/listed";
import { Mark } from "../part/mark";
import { Shown, Table, type Column } from "../part/table";
import { Link } from "../url";

const columns: Column<Member>[] = [
  {
    head: "Workload",
    kind: "name",
    cell: (m) => (
      <span className="named">
        <Mark state={m.state} />
        <span>
          <b>{m.id}</b>
          {m.gateway && <span className="of">gateway</span>}
          {m.why && <span className={"below " + m.state}>{m.why}</span>}
        </span>
      </span>
    ),
  },
  { head: "Why", kind: "why wide", cell: (m) => <span className={m.state} title={m.refused?.join("\n") ?? m.why}>{m.why}</span> },
  { head: "Version", cell: (m) => m.version || <span className="dim">–</span> },
  { head: "Health", kind: "wide", cell: (m) => m.health.toLowerCase() },
  {
    head: "Configuration",
    kind: "num",
    cell: (m) => (m.current ? <span className="dim">current</span> : m.connected ? `revision ${m.revision}` : <span className="dim">–</span>),
  },
  { head: "Envoy", kind: "wide", cell: (m) => m.envoy || <span className="dim">–</span> },
  { head: "Address", kind: "wide", cell: (m) => <code>{m.address}</code> },
];

export function Fleet() {
  const answer = useList<List>("fleet");
  return (
    <Shown answer={answer}>
      {(list) =>
        list.all === 0 ? (
          <Empty text="No workload is in the mesh yet. A machine joins once; then each process runs beside an Envoy of its own." command="weft token create" />
        ) : (
          <Listed what="workload" where="it" all={list.all} total={list.total} shown={list.members.length} beside={
              <>
                , revision {list.revision}; over time: <Link to="dashboards" chosen={{ board: "fleet" }}>the fleet</Link>, <Link to="dashboards" chosen={{ board: "control-plane" }}>the control plane</Link>
              </>
            }>
            <Table label="Workloads and their proxies, what needs attention first" columns={columns} rows={list.members} keyOf={(m) => m.id} />
          </Listed>
        )
      }
    </Shown>
  );
}
