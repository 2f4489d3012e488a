import { millis, rate, share } from "../format";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { Table, type Column } from "../part/table";
import { pageOf, ranks, type Dot, type Line, type Picture } from "./picture";

// The table says what the picture shows: each line a row, and then the dots that have none.

interface Row extends Omit<Line, "from" | "to"> {
  from?: Dot;
  to?: Dot;
}

const End = ({ dot }: { dot?: Dot }) =>
  dot ? (
    <>
      <b>{dot.label}</b>
      <span className="of">{dot.kind === "version" ? dot.of : dot.namespace}</span>
    </>
  ) : (
    <span className="dim">–</span>
  );

// wire is not known of the past.
const wire: Column<Row> = { head: "On the wire", kind: "wide", cell: (r) => (r.rate === 0 ? <span className="dim">–</span> : r.plain ? "plain text" : <span className="dim">encrypted</span>) };

const columns: Column<Row>[] = [
  {
    head: "From",
    kind: "name",
    cell: (r) => (
      <span className="named">
        <Mark state={r.state} />
        <span>
          <End dot={r.from} />
        </span>
      </span>
    ),
  },
  { head: "To", kind: "name", cell: (r) => <End dot={r.to} /> },
  { head: "Requests", kind: "num", cell: (r) => <Num of={rate(r.rate)} none={r.rate === 0} /> },
  {
    head: "Failing",
    kind: "num",
    cell: (r) => (
      <span className={r.state === "bad" || r.state === "warn" ? r.state : undefined}>
        {r.fallbacks ? <span className="of">{share(r.fallbacks).join("")} by a fallback </span> : null}
        <Num of={share(r.failing)} none={r.rate === 0} />
      </span>
    ),
  },
  { head: "p99", kind: "num wide", cell: (r) => <Num of={millis(r.p99)} none={r.p99 === 0} /> },
  wire,
];

export function Ways({ picture, past }: { picture: Picture; past: boolean }) {
  const at = new Map(picture.dots.map((d) => [d.id, d]));
  const tied = new Set(picture.lines.flatMap((l) => [l.from, l.to]));
  const rows: Row[] = picture.lines.map((l) => ({ ...l, from: at.get(l.from), to: at.get(l.to) }));
  for (const d of picture.dots) {
    if (!tied.has(d.id)) rows.push({ id: d.id, to: d, rate: d.rate, failing: d.failing, fallbacks: d.fallbacks, p99: d.p99, state: d.state, plain: false });
  }
  rows.sort((a, b) => ranks[a.state] - ranks[b.state]); // which leaves the rest as it was: the busiest first
  return <Table label="Who calls whom, what needs attention first" columns={past ? columns.filter((c) => c !== wire) : columns} rows={rows} keyOf={(r) => r.id} page={(r) => r.to && pageOf(r.to)} />;
}
