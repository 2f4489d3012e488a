import type { Traces as Found } from "../api";
import { count } from "../format";
import { useLive } from "../live";
import { Empty } from "../part/command";
import { Search } from "../part/search";
import { Shown } from "../part/table";
import { choose, usePlace } from "../url";
import { TraceTable } from "./list";
import { One } from "./one";
import "./traces.css";

const least = ["10ms", "100ms", "1s"]; // that a step took

// Traces are requests with what happened to them on their way; one of them is shown where the list was.
export default function Traces() {
  const { query } = usePlace();
  const trace = query.get("trace");
  return trace ? <One id={trace} /> : <List />;
}

function List() {
  const { query } = usePlace();
  const [service, calls, failed, slower] = ["search", "calls", "failed", "slower"].map((name) => query.get(name) ?? "");
  const answer = useLive<Found>("traces", { service: service!.trim(), calls, failed, slower, limit: query.get("limit") ?? undefined });
  return (
    <Shown answer={answer}>
      {({ traces, store }) =>
        store.traces === 0 ? (
          <Empty text="No request has been told of yet: proxies tell of one in a hundred, and of each that asks for it." command="curl -H 'traceparent: 00-4bb87cd24242e5a3de2fbbd83dd70900-00f067aa0ba902b7-01' http://SERVICE/" />
        ) : (
          <>
            <div className="bar-above">
              <Search label="Requests through a service" />
              <label>
                <input type="checkbox" checked={failed === "true"} onChange={(e) => choose("failed", e.target.checked ? "true" : "")} /> failed
              </label>
              <select aria-label="How long a step took" value={slower} onChange={(e) => choose("slower", e.target.value)}>
                <option value="">however long</option>
                {least.map((d) => (
                  <option key={d} value={d}>
                    {d} or longer
                  </option>
                ))}
              </select>
              {calls && (
                <button type="button" onClick={() => choose("calls", "")} aria-label={"Not only calls to " + calls}>
                  calls to {calls} ×
                </button>
              )}
              <span className="dim">
                {count(traces.length, "request")} of {store.traces} that are kept
              </span>
            </div>
            {dropped(store) && <p className="warn">{dropped(store)}</p>}
            {traces.length ? <TraceTable traces={traces} label="Requests, those that failed first, then the longest" /> : <p className="none dim">No request that is kept is like this.</p>}
          </>
        )
      }
    </Shown>
  );
}

// dropped says what is not here because there was too much.
const dropped = (s: Found["store"]) =>
  [
    s.tooMany && `${count(s.tooMany, "step")} came too fast, and were dropped`,
    s.lost && `${count(s.lost, "byte")} of steps were dropped by agents`,
    s.unwritten && `${count(s.unwritten, "step")} could not be written to disk, and a restart loses them`,
    s.unsent && `${count(s.unsent, "step")} could not be sent on`,
  ]
    .filter(Boolean)
    .join("; ");
