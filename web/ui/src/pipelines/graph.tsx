import { useEffect, useMemo, useRef } from "react";
import type { RunStage, Stage } from "../api";
import { lasted } from "../format";
import { Mark } from "../part/mark";
import { high, layout, type Line } from "./layout";
import { phaseWord } from "./words";

// A stage of a pipeline, or as it stands in a run.
export type Drawn = Stage & Partial<RunStage>;

const live = new Set(["Running", "Asking"]);
const passed = new Set(["Succeeded", "Continued", "Skipped"]);

// Graph is the stages from left to right, each after those that it waits for.
export function Graph({ stages, picked, onPick }: { stages: Drawn[]; picked?: string; onPick: (name: string) => void }) {
  const shape = stages.map((s) => s.name + ":" + s.after.join()).join(";");
  const drawn = useMemo(() => layout(stages), [shape]);
  const box = useRef<HTMLDivElement>(null);
  const begin = stages.find((s) => s.phase === "Asking") ?? stages.find((s) => s.phase === "Failed") ?? stages.find((s) => s.phase && live.has(s.phase));
  useEffect(() => {
    const at = begin && drawn.spots.get(begin.name);
    if (at && box.current) box.current.scrollLeft = Math.max(0, at.x + drawn.card - box.current.clientWidth);
  }, [begin?.name, drawn]);
  const done = new Set(stages.filter((s) => s.phase && passed.has(s.phase)).map((s) => s.name));
  return (
    <div className="graph" ref={box}>
      <div style={{ width: drawn.wide, height: drawn.high }}>
        <svg width={drawn.wide} height={drawn.high} aria-hidden="true">
          {drawn.lines.map((l) => (
            <path key={l.from + " " + l.to} d={curve(l)} className={done.has(l.from) ? "done" : ""} />
          ))}
        </svg>
        <ol>
          {stages.map((s) => {
            const at = drawn.spots.get(s.name)!;
            return (
              <li key={s.name} style={{ left: at.x, top: at.y, width: drawn.card, height: high }}>
                <Card s={s} picked={s.name === picked} onPick={onPick} />
              </li>
            );
          })}
        </ol>
      </div>
    </div>
  );
}

function Card({ s, picked, onPick }: { s: Drawn; picked: boolean; onPick: (name: string) => void }) {
  const title = s.title || s.name;
  return (
    <button type="button" className={"stage " + (s.state ?? "idle") + (s.phase && live.has(s.phase) ? " going" : "")} aria-pressed={picked} title={`${title}: ${s.why || s.summary}`} onClick={() => onPick(s.name)}>
      <span className="head">
        {s.state && <Mark state={s.state} />}
        <b>{title}</b>
      </span>
      <span className="dim">
        {s.kind}
        {s.state && <Took s={s} />}
      </span>
      <span className="dim line">{s.summary}</span>
    </button>
  );
}

function Took({ s }: { s: Drawn }) {
  if (!s.phase) return <> · not yet</>;
  const time = s.started && s.phase !== "Skipped" && lasted(new Date(s.started), s.ended ? new Date(s.ended) : new Date());
  return (
    <>
      {" "}
      · {phaseWord(s.phase)} {time}
      {(s.attempt ?? 1) > 1 && ` · attempt ${s.attempt}`}
    </>
  );
}

function curve(l: Line): string {
  const [first, ...rest] = l.by;
  let at = first!;
  let d = `M${at.x} ${at.y}`;
  for (const to of rest) {
    const middle = (at.x + to.x) / 2;
    d += to.y === at.y ? `H${to.x}` : `C${middle} ${at.y} ${middle} ${to.y} ${to.x} ${to.y}`;
    at = to;
  }
  return d;
}
