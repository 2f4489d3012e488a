import { useRef, useState, type KeyboardEvent } from "react";
import type { Bar, Waterfall } from "../api";
import { clock, count } from "../format";
import { useLive } from "../live";
import { Command } from "../part/command";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { Shown } from "../part/table";
import { Link } from "../url";
import { named, nano } from "./list";

// One request, step by step: each below the one that called it, drawn where it was on in time.
export function One({ id }: { id: string }) {
  const answer = useLive<Waterfall>("traces/" + encodeURIComponent(id));
  return (
    <>
      <p className="verdict">
        <Link to="traces">← all requests</Link>
      </p>
      <Shown answer={answer}>{(t) => <Steps t={t} />}</Shown>
    </>
  );
}

function Steps({ t }: { t: Waterfall }) {
  const [at, move] = useState(() => Math.max(0, t.steps.findLastIndex((s) => s.failed)));
  const chosen = t.steps[Math.min(at, t.steps.length - 1)]!;
  const list = useRef<HTMLDivElement>(null);
  const onKey = (e: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, Home: -t.steps.length, End: t.steps.length }[e.key];
    if (!by) return;
    e.preventDefault();
    const next = Math.min(t.steps.length - 1, Math.max(0, at + by));
    move(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  return (
    <>
      <p className={"verdict " + (t.failed ? "bad" : "ok")}>
        <Mark state={t.failed ? "bad" : "ok"} />
        <span>
          {t.name} by {named(t)}
        </span>
        <span className="dim">
          <Num of={nano(t.duration)} />, {count(t.spans, "step")}, {new Date(t.start).toLocaleDateString()} {clock(new Date(t.start))}
        </span>
      </p>
      <div className="beside">
        <div className="waterfall" role="listbox" aria-label="Steps" tabIndex={0} aria-activedescendant={"step-" + t.steps.indexOf(chosen)} onKeyDown={onKey} ref={list}>
          {t.steps.map((s, i) => (
            <div key={s.id + s.kind + i} id={"step-" + i} role="option" aria-selected={s === chosen} onClick={() => move(i)}>
              <span className="who" style={{ paddingLeft: 12 * Math.min(s.depth, 12) }}>
                <Mark state={s.failed ? "bad" : "ok"} />
                <b>{s.service}</b> <span className="of">{side(s)}</span>
              </span>
              <svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
                <rect className={s.failed ? "bad" : s.kind} {...where(s, t)} />
              </svg>
              <span className="num">
                <Num of={nano(s.duration)} />
              </span>
            </div>
          ))}
        </div>
        <Facts s={chosen} />
      </div>
      <Command text={"weft traces show " + t.id} />
    </>
  );
}

// side says who told: a proxy, on which side of a call, or the application.
const side = (s: Bar) => (s.proxy ? (s.kind === "client" ? "calls" : "answers") : s.name);

// where a step was on, in thousandths of the whole; none is too short to be seen.
function where(s: Bar, t: Waterfall) {
  const whole = Math.max(t.duration, 1);
  const x = Math.min(995, (1000 * s.offset) / whole);
  return { x, width: Math.max(5, Math.min(1000 - x, (1000 * s.duration) / whole)), height: 10 };
}

function Facts({ s }: { s: Bar }) {
  return (
    <aside className="facts" aria-label="What is known of the step">
      <h2>
        {named(s)} {s.version} <span className="of">{s.workload}</span>
      </h2>
      <p>
        {s.name}
        {s.failed && <b className="bad"> failed {s.message}</b>}
        {s.orphan && <span className="dim"> · what called it is not here</span>}
      </p>
      <dl>
        {s.attributes?.map((a) => (
          <div key={a.name}>
            <dt>{a.name}</dt>
            <dd>{a.value}</dd>
          </div>
        ))}
        {s.events?.map((e) => (
          <div key={e.name + e.at}>
            <dt>{clock(new Date(e.at))}</dt>
            <dd>{e.name}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}
