import type { PointerEvent } from "react";
import type { Board, Line, Panel } from "../api";
import { clock } from "../format";
import { Num } from "../part/number";
import { go, hrefOf } from "../url";
import { measure, top } from "./unit";

interface Props {
  p: Panel;
  b: Board;
  at?: number; // the step that is looked at
  onAt: (at?: number) => void;
}

// Chart is lines over the time of its board, and under them what they stand at: now, or where somebody points.
export function Chart({ p, b, at, onAt }: Props) {
  const [from, to] = [Date.parse(b.from), Date.parse(b.to)];
  const steps = Math.max(1, Math.round((to - from) / 1000 / b.step));
  const most = top(Math.max(0, ...p.lines.flatMap((l) => l.values)));
  const point = (e: PointerEvent<HTMLDivElement>) => {
    const box = e.currentTarget.getBoundingClientRect();
    onAt(Math.min(steps, Math.max(0, Math.round((steps * (e.clientX - box.left)) / box.width))));
  };
  const when = (i: number) => clock(new Date(from + i * b.step * 1000));
  return (
    <section className="chart" aria-label={p.title}>
      <h2 title={p.help}>{p.title}</h2>
      <div className="plot" onPointerMove={point} onPointerLeave={() => onAt(undefined)}>
        <span className="most" aria-hidden="true">
          <Num of={measure(p.unit, most)} />
        </span>
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={`${p.title} from ${when(0)} to ${when(steps)}`}>
          {p.lines.map((l, i) => (
            <path key={l.name} className={kind(l, i)} d={drawn(l, steps, most)} />
          ))}
        </svg>
        {b.marks.map((m) => (
          <i key={m.time + m.text} className={"at " + m.state} title={m.text} aria-hidden="true" onClick={() => go(hrefOf(m.page))} style={{ left: `${Math.min(100, Math.max(0, (100 * (Date.parse(m.time) - from)) / (to - from)))}%` }} />
        ))}
        {at !== undefined && <i className="here" aria-hidden="true" style={{ left: (100 * at) / steps + "%" }} />}
      </div>
      <p className="times dim" aria-hidden="true">
        <span>{when(0)}</span>
        {at !== undefined && <b>{when(at)}</b>}
        <span>{when(steps)}</span>
      </p>
      <ul>
        {p.lines.map((l, i) => (
          <li key={l.name}>
            <svg viewBox="0 0 16 2" aria-hidden="true">
              <path className={kind(l, i)} d="M0 1H16" />
            </svg>
            <span>{l.name}</span>
            <b>
              <Value l={l} unit={p.unit} at={at ?? l.at.at(-1)!} />
            </b>
          </li>
        ))}
        {p.lines.length === 0 && <li className="dim">none</li>}
        {p.more > 0 && <li className="dim">and {p.more} lower ones</li>}
      </ul>
    </section>
  );
}

function Value({ l, unit, at }: { l: Line; unit: string; at: number }) {
  const i = l.at.indexOf(at);
  return <Num of={measure(unit, l.values[i] ?? 0)} none={i < 0} />;
}

// kind tells lines apart by colour and by dashes: of failures it is the colour that they have everywhere.
const kind = (l: Line, i: number) => `line${i % 4} dash${Math.floor(i / 4) % 3}` + (/\b5xx\b/.test(l.name) ? " bad" : "");

// drawn leaves out where nothing is known; a value alone is a dot.
function drawn(l: Line, steps: number, most: number): string {
  return l.at.map((at, i) => `${i > 0 && l.at[i - 1] === at - 1 ? "L" : "M"}${((100 * at) / steps).toFixed(2)} ${(100 - (100 * l.values[i]!) / most).toFixed(2)}${l.at[i + 1] === at + 1 ? "" : "h0"}`).join("");
}
