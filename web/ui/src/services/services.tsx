import type { Service, Services as List } from "../api";
import { millis, rate, share } from "../format";
import { Empty } from "../part/command";
import { Listed, useList } from "../part/listed";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { Shown, Table, type Column } from "../part/table";
import { Versions } from "../part/versions";
import { Link } from "../url";
import { useWindow } from "../window";

const pageOf = (s: Service) => `services/${s.namespace}/${s.name}`;

const quiet = (s: Service) => s.calls.requests === 0;

const columns: Column<Service>[] = [
  {
    head: "Service",
    kind: "name",
    cell: (s) => (
      <span className="named">
        <Mark state={s.state} />
        <span>
          <Link to={pageOf(s)}>{s.name}</Link>
          <span className="of">{s.external ? "outside" : s.namespace}</span>
          {s.why && <span className={"below " + s.state}>{s.why}</span>}
        </span>
      </span>
    ),
  },
  { head: "Why", kind: "why wide", cell: (s) => <span className={s.state}>{s.why}</span> },
  { head: "Versions", kind: "wide", cell: (s) => <Versions versions={s.versions} /> },
  { head: "Requests", kind: "num", cell: (s) => <Num of={rate(s.calls.rate)} none={quiet(s)} /> },
  {
    head: "Success",
    kind: "num",
    cell: (s) => (
      <span className={s.state === "bad" || s.state === "warn" ? s.state : undefined}>
        <Num of={share(s.calls.success)} none={quiet(s)} />
      </span>
    ),
  },
  { head: "p50", kind: "num wide", cell: (s) => <Num of={millis(s.calls.p50)} none={quiet(s)} /> },
  { head: "p99", kind: "num wide", cell: (s) => <Num of={millis(s.calls.p99)} none={quiet(s)} /> },
];

export function Services() {
  const answer = useList<List>("services", { window: useWindow() });
  return (
    <Shown answer={answer}>
      {(list) =>
        list.all === 0 ? (
          <Empty text="No service is known yet: one is there as soon as an application runs, or something names it." command="weft run --app hello --version v1 --port 8000 -- ./hello" />
        ) : (
          <Listed what="service" where="its name" all={list.all} total={list.total} shown={list.services.length}>
            <Table label="Services, what needs attention first" columns={columns} rows={list.services} keyOf={(s) => s.host} page={pageOf} />
          </Listed>
        )
      }
    </Shown>
  );
}
