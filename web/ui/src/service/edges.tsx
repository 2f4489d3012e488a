import type { Edge, End } from "../api";
import { millis, rate, share } from "../format";
import { Num } from "../part/number";
import { Table, type Column } from "../part/table";

type Which = "source" | "destination";

export const failing = (e: Edge) => (e.requests < 20 ? undefined : e.success < 0.99 ? (e.fallbacks >= e.errors ? "warn" : "bad") : e.success < 0.999 ? "warn" : undefined);

const numbers: Column<Edge>[] = [
  { head: "Requests", kind: "num", cell: (e) => <Num of={rate(e.rate)} /> },
  {
    head: "Success",
    kind: "num",
    cell: (e) => (
      <span className={failing(e)}>
        <Num of={share(e.success)} />
      </span>
    ),
  },
  { head: "p50", kind: "num wide", cell: (e) => <Num of={millis(e.p50)} /> },
  { head: "p99", kind: "num wide", cell: (e) => <Num of={millis(e.p99)} /> },
  { head: "Retries", kind: "num wide", cell: (e) => e.retries || <span className="dim">–</span> },
  { head: "Fallbacks", kind: "num wide", cell: (e) => e.fallbacks || <span className="dim">–</span> },
  { head: "Open", kind: "num wide", cell: (e) => (e.connections < 0.05 ? <span className="dim">–</span> : e.connections.toFixed(e.connections < 10 ? 1 : 0)) },
];

// Said where there are any: a column each would be empty.
const troubles = (e: Edge) =>
  [e.timeouts && `${e.timeouts} timed out`, e.exhausted && `${e.exhausted} out of retries`, e.overflows && `${e.overflows} over the breaker`, e.unconnected && `${e.unconnected} not connected`, e.plain && "plain text"]
    .filter(Boolean)
    .join(", ");

// A row leads to the other end, where that is a service of the mesh or outside of it under its host.
const pageOf = (end: End) => (end.namespace ? `services/${end.namespace}/${end.app}` : undefined);

export function Edges({ edges, end, label }: { edges: Edge[]; end: Which; label: string }) {
  const who: Column<Edge> = {
    head: end === "source" ? "From" : "To",
    cell: (e) => (
      <>
        <b>{e[end].app}</b> {e[end].version}
        <span className="of">{end === "destination" ? e.port : e[end].namespace}</span>
        {end === "source" && e.destination.version && <span className="of">to {e.destination.version}</span>}
        {end === "destination" && e.source.version && <span className="of">by {e.source.version}</span>}
        {troubles(e) && <span className="of warn">{troubles(e)}</span>}
      </>
    ),
  };
  return <Table label={label} columns={[who, ...numbers]} rows={edges} keyOf={(e) => [e.source, e.destination].map((x) => x.namespace + x.app + x.version).join("|") + e.port} page={(e) => pageOf(e[end])} />;
}
