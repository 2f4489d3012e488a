import { useState } from "react";
import type { Board } from "../api";
import { clock } from "../format";
import { useLive } from "../live";
import { Empty } from "../part/command";
import { Last } from "../part/last";
import { Mark } from "../part/mark";
import { Shown } from "../part/table";
import { choose, Link, usePlace } from "../url";
import { Chart } from "./chart";

const pace = 15_000; // ms: a sample is not taken more often, as a rule

const ranges = [
  ["15m", "15 min"],
  ["1h", "hour"],
  ["6h", "6 h"],
  ["24h", "day"],
  ["168h", "7 days"],
  ["360h", "15 days"],
] as const;

const usual = "1h";

// Dashboards are the boards that Grafana gets, too: which one, of what, over which time and until when, the URL says.
export default function Dashboards() {
  const { query } = usePlace();
  const of = (name: string) => query.get(name) ?? undefined;
  const asked = { range: of("range"), namespace: of("namespace"), service: of("service"), app: of("app"), at: of("at") };
  const answer = useLive<Board>(`boards/${encodeURIComponent(of("board") ?? "service")}`, asked, pace);
  return <Shown answer={answer}>{(b) => <One b={b} />}</Shown>;
}

function One({ b }: { b: Board }) {
  const [at, setAt] = useState<number>(); // the step that is looked at, in all panels
  const empty = b.panels.every((p) => p.lines.length === 0);
  return (
    <>
      <div className="bar-above">
        <nav className="tabs" aria-label="Dashboards">
          {b.others.map((o) => (
            <Link key={o.name} to="dashboards" chosen={{ board: o.name }} aria-current={o.name === b.name ? "page" : undefined}>
              {o.title}
            </Link>
          ))}
        </nav>
        <span className="spring" />
        <Choices b={b} />
      </div>
      {b.why && (
        <p className="verdict warn" role="status">
          <Mark state="warn" />
          <span>{b.why}</span>
        </p>
      )}
      {empty && !b.why && <Empty text="Nothing was counted of this during this time." command="weft query weft_requests_total" />}
      <Changes b={b} />
      {!empty && (
        <div className="charts">
          {b.panels.map((p) => (
            <Chart key={p.title} p={p} b={b} at={at} onAt={setAt} />
          ))}
        </div>
      )}
    </>
  );
}

function Choices({ b }: { b: Board }) {
  const range = usePlace().query.get("range") ?? usual;
  // What was chosen within something else means nothing within another.
  const pick = (i: number, value: string) => {
    b.variables.slice(i + 1).forEach((v) => choose(v.name, ""));
    choose(b.variables[i]!.name, value);
  };
  return (
    <>
      {b.variables.map((v, i) => (
        <select key={v.name} aria-label={v.name} value={v.value} onChange={(e) => pick(i, e.target.value)}>
          {[...new Set([...v.values, v.value])].map((value) => (
            <option key={value}>{value}</option>
          ))}
        </select>
      ))}
      <Last label="Shown time" name="range" value={range} usual={usual} all={ranges} />
    </>
  );
}

const said = 6; // of what changed; the panels have all

// Changes are what the marks in the panels stand for, the newest first.
function Changes({ b }: { b: Board }) {
  if (b.marks.length === 0) return null;
  return (
    <ol className="changes" aria-label="What changed meanwhile">
      {b.marks
        .toReversed()
        .slice(0, said)
        .map((m) => (
          <li key={m.time + m.text}>
            <Mark state={m.state} />
            <time dateTime={m.time}>{clock(new Date(m.time))}</time>
            <Link to={m.page}>{m.text}</Link>
          </li>
        ))}
      {b.marks.length > said && <li className="dim">and {b.marks.length - said} before</li>}
    </ol>
  );
}
