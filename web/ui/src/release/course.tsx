import type { ReleasePage, Seen, Share } from "../api";
import { clock } from "../format";
import { Section } from "../part/section";

// Course is what people watch: the share of the new version over time, and under it, on the same axis, its bad
// answers closing in on the limit.
export function Course({ r }: { r: ReleasePage }) {
  const changes = r.events.toReversed().filter((e, i, all) => e.weight !== (all[i - 1]?.weight ?? 0));
  if (changes.length === 0) return null;
  const begin = Date.parse(r.started);
  const end = Math.max(r.ended ? Date.parse(r.ended) : Date.now(), Date.parse(r.events[0]!.time), begin + 1);
  const x = (at: string) => ((100 * (Date.parse(at) - begin)) / (end - begin)).toFixed(2);
  const most = Math.max(...changes.map((e) => e.weight)); // the top: 5% is to be seen
  const line = changes.map((e) => `H${x(e.time)}V${(100 - (100 * e.weight) / most).toFixed(2)}`).join("");
  const said = changes.map((e) => `${e.weight}% at ${clock(new Date(e.time))}`).join(", ");
  return (
    <Section title={`Share of ${r.version}`} note={`${most}% at most`}>
      <div className={"course " + r.state}>
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={said}>
          <path className="area" d={`M0 100${line}H100V100Z`} />
          <path d={`M0 100${line}H100`} />
        </svg>
        {r.trail.length > 0 && <Closing r={r} x={x} />}
        <time dateTime={r.started}>{clock(new Date(begin))}</time>
        <time dateTime={new Date(end).toISOString()}>{r.ended ? clock(new Date(end)) : "now"}</time>
      </div>
    </Section>
  );
}

const percent = (of1: number) => (100 * of1).toFixed(of1 < 0.1 ? 2 : 1) + "%";

// Closing is the interval of bad answers of the new version, which narrows, beside the limit that it may not cross.
function Closing({ r, x }: { r: ReleasePage; x: (at: string) => string }) {
  const trail = r.trail;
  const last = trail.at(-1)!;
  const allowed = r.evidence?.allowed;
  const limit = (s: Seen) => s.old.of1 + (allowed ?? 0);
  // At first the interval is everything: the scale is that of what is known in the end.
  const most = Math.max(last.new.high, last.old.high, limit(last) * 1.5, 0.001) * 1.2;
  const y = (of1: number) => (100 - (100 * Math.min(of1, most)) / most).toFixed(2);
  const path = (points: [at: string, of1: number][]) => "M" + points.map(([at, of1]) => `${x(at)} ${y(of1)}`).join("L");
  const over = (of: (s: Seen) => number) => trail.map((s): [string, number] => [s.time, of(s)]);
  const band = path([...over((s) => s.new.high), ...over((s) => s.new.low).reverse()]) + "Z";
  const text = (name: string, s: Share) => `${name}: ${percent(s.of1)} answered badly, ${percent(s.low)} to ${percent(s.high)} by ${s.requests} requests`;
  const compared = !!r.from && last.old.requests > 0;
  const said = [text(r.version, last.new), ...(compared ? [text(r.from!, last.old)] : []), ...(compared && allowed !== undefined ? [`the limit is ${percent(limit(last))}`] : [])].join("; ");
  return (
    <>
      <p className="of" title="The interval holds what the share is in 19 of 20 cases of so many requests. The evidence below decides.">
        {said}
      </p>
      <svg className="closing" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={`Bad answers over time. ${said}`}>
        <path className="area" d={band} />
        <path d={path(over((s) => s.new.of1)) + "h0"} />
        {compared && <path className="old" d={path(over((s) => s.old.of1)) + "h0"} />}
        {compared && allowed !== undefined && <path className="limit" d={path(over(limit)) + "h0"} />}
      </svg>
    </>
  );
}
