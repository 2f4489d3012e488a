import type { Service, Services as List } from "../api";
import { count, millis, rate, share } from "../format";
import { useLive } from "../live";
import { Empty } from "../part/command";
import { Mark } from "../part/mark";
import { More } from "../part/more";
import { Num } from "../part/number";
import { Search } from "../part/search";
import { Shown, Table, type Column } from "../part/table";
import { Versions } from "../part/versions";
import { Link, usePlace } from "../url";
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
  const { query } = usePlace();
  const search = query.get("search") ?? undefined;
  const answer = useLive<List>("services", { window: useWindow(), search, limit: query.get("limit") ?? undefined });
  return (
    <Shown answer={answer}>
      {(list) =>
        list.all === 0 ? (
          <Empty text="No service is known yet: one is there as soon as an application runs, or something names it." command="weft run --app hello --version v1 --port 8000 -- ./hello" />
        ) : (
          <>
            <div className="bar-above">
              <Search label="Find a service" />
              <span className="dim">{search ? `${list.total} of ${count(list.all, "service")}` : count(list.all, "service")}</span>
            </div>
            <Table label="Services, what needs attention first" columns={columns} rows={list.services} keyOf={(s) => s.host} page={pageOf} />
            {list.total === 0 && <p className="none dim">No service has “{search}” in its name.</p>}
            <More shown={list.services.length} total={list.total} />
          </>
        )
      }
    </Shown>
  );
}
