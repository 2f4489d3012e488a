import { meanings, type Problem } from "../api";
import { useLive } from "../live";
import { Empty } from "../part/command";
import { Listed } from "../part/listed";
import { Mark } from "../part/mark";
import { Shown } from "../part/table";
import { Link, usePlace } from "../url";

// Those by which proxies lack something come first.
const severe = ["Refused", "Invalid", "Held", "Stale"];
const order = [...new Set([...severe, ...Object.keys(meanings)])];
const rank = (code: string) => (order.indexOf(code) + order.length + 1) % (order.length + 1);

// Kinds that say where requests go, and mostly have the name of who is called.
const leading = new Set(["VirtualService", "DestinationRule", "HTTPRoute", "GRPCRoute", "TrafficSplit", "Resilience", "Application", "Service"]);

export function Problems() {
  const answer = useLive<Problem[]>("problems");
  const search = (usePlace().query.get("search") ?? "").toLowerCase();
  return (
    <Shown answer={answer}>
      {(all) => {
        if (all.length === 0) {
          return <Empty text="Everything that is written has its effect." command="weft get problems" />;
        }
        const found = all.filter((p) => [p.kind, p.namespace, p.name, p.code, p.message].join(" ").toLowerCase().includes(search));
        return (
          <Listed what="problem" where="it" all={all.length} total={found.length}>
            {groups(found).map(([code, list]) => (
              <Group key={code} code={code} list={list} />
            ))}
          </Listed>
        );
      }}
    </Shown>
  );
}

function groups(all: Problem[]): [string, Problem[]][] {
  return Object.entries(Object.groupBy(all, (p) => p.code) as Record<string, Problem[]>).sort(
    ([a, some], [b, others]) => rank(a) - rank(b) || others.length - some.length || a.localeCompare(b),
  );
}

function Group({ code, list }: { code: string; list: Problem[] }) {
  return (
    <section className="group">
      <h2>
        <Mark state={severe.includes(code) ? "bad" : "warn"} />
        {meanings[code] ?? code} <span className="of">{code}</span> <span className="unit">{list.length}</span>
      </h2>
      <ul>
        {list.map((p) => (
          <li key={[p.kind, p.namespace, p.name, p.path, p.message].join("|")}>
            <b>
              <span className="dim">{p.kind}</span> {p.namespace && p.namespace + "/"}
              {p.name}
            </b>
            {p.path && <code>{p.path}</code>}
            <p>{p.message}</p>
            {leading.has(p.kind) && (
              <Link to="explain" chosen={{ host: p.namespace ? `${p.name}.${p.namespace}` : p.name }}>
                explain a call to {p.name} →
              </Link>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
