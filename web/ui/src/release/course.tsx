import type { ReleasePage } from "../api";
import { clock } from "../format";
import { Section } from "../part/section";

// Course is the share of the new version over time: a step wherever it changed.
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
        <time dateTime={r.started}>{clock(new Date(begin))}</time>
        <time dateTime={new Date(end).toISOString()}>{r.ended ? clock(new Date(end)) : "now"}</time>
      </div>
    </Section>
  );
}
