import { useEffect, useState } from "react";
import type { Past } from "../api";
import { read, type Query, type Refused } from "../client";
import { clock, rate, share } from "../format";
import type { Answer } from "../live";
import { choose, Link } from "../url";

// useRead reads once: the past does not change. What was read before stays until the new is there.
export function useRead<T>(path: string, query: Query): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({});
  const question = path + "?" + JSON.stringify(query);
  useEffect(() => {
    let wanted = true;
    read<T>(path, query).then(
      (data) => wanted && setAnswer({ data }),
      (refused: Refused) => wanted && setAnswer((before) => ({ data: before.data, refused })),
    );
    return () => void (wanted = false);
  }, [question]);
  return answer;
}

const minute = 60_000; // ms
const pace = 700; // ms for which a minute is shown

export const replay = (on: boolean) => choose("at", on ? new Date(Date.now() - minute).toISOString().replace(/\.\d+/, "") : "");

// Replay leads through the last hours, a minute a step: how much was called, how much of it failed, what happened.
export function Replay({ at }: { at: string }) {
  const { data } = useRead<Past>("past", { until: String(Math.floor(Date.now() / minute)) });
  const [plays, setPlays] = useState(false);
  const moments = data?.moments ?? [];
  const i = Math.max(0, moments.findLastIndex((m) => Date.parse(m.time) <= Date.parse(at)));
  const to = (n: number) => moments[n] && choose("at", moments[n].time);
  useEffect(() => {
    if (!plays) return;
    const timer = setTimeout(() => (i + 1 < moments.length ? to(i + 1) : setPlays(false)), pace);
    return () => clearTimeout(timer);
  }, [plays, i, moments.length]);
  const now = moments[i];
  return (
    <section className="replay" aria-label="Replay">
      <button type="button" disabled={moments.length < 2} onClick={() => (plays ? setPlays(false) : (i + 1 === moments.length && to(0), setPlays(true)))}>
        {plays ? "Pause" : "Play"}
      </button>
      <b>
        <time dateTime={now?.time ?? at}>{clock(new Date(now?.time ?? at))}</time>
      </b>
      <div>
        <Bars past={data} />
        <input type="range" aria-label="Minute" min={0} max={Math.max(0, moments.length - 1)} value={i} aria-valuetext={now && `${clock(new Date(now.time))}, ${rate(now.rate).join("")}, ${share(now.failing).join("")} fail`} onChange={(e) => to(Number(e.target.value))} />
      </div>
      <span className="dim">{now && `${rate(now.rate).join("")}, ${share(now.failing).join("")} fail`}</span>
      <button type="button" onClick={() => replay(false)}>
        Back to now
      </button>
    </section>
  );
}

// Bars are the minutes side by side, and what happened meanwhile above them.
function Bars({ past }: { past?: Past }) {
  const moments = past?.moments ?? [];
  if (!past || moments.length < 2) return null;
  const most = Math.max(...moments.map((m) => m.rate), 1e-9);
  const worst = Math.max(0.01, ...moments.map((m) => m.failing));
  const failing = (of: number) => (of < 0.0001 ? 0 : Math.max(3, 24 * Math.sqrt(of / worst))); // what fails is seen, however little it is of all
  const [from, to] = [Date.parse(moments[0]!.time), Date.parse(moments.at(-1)!.time)];
  return (
    <>
      <div className="marks">
        {past.marks.map((m) => (
          <Link key={m.time + m.text} to={m.page} className={m.state} title={m.text} aria-label={m.text} style={{ left: `${Math.min(100, Math.max(0, ((Date.parse(m.time) - from) / (to - from)) * 100))}%` }} />
        ))}
      </div>
      <svg viewBox={`0 0 ${moments.length - 1} 24`} preserveAspectRatio="none" aria-hidden="true">
        {moments.map((m, i) => (
          <g key={m.time}>
            <rect className="all" x={i - 0.4} width={0.8} y={24 - (24 * m.rate) / most} height={(24 * m.rate) / most} />
            <rect className="failing" x={i - 0.4} width={0.8} y={24 - failing(m.failing)} height={failing(m.failing)} />
          </g>
        ))}
      </svg>
    </>
  );
}
