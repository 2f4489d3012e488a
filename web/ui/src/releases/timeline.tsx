import type { Release } from "../api";
import { clock } from "../format";
import { go, hrefOf } from "../url";
import { phaseText, releasePage } from "./table";

const least = 10 * 60_000; // ms that the axis covers
const lanes = 12; // applications that have one; the table has all

// Timeline has a lane for each application, and in it its releases. The table below says the same in words.
export function Timeline({ releases }: { releases: Release[] }) {
  const now = Date.now();
  const start = Math.min(now - least, ...releases.map((r) => Date.parse(r.started)));
  const at = (time: number) => (100 * (time - start)) / (now - start);
  const byApplication = Object.groupBy(releases, (r) => `${r.namespace}/${r.application}`);
  const rows = (Object.entries(byApplication) as [string, Release[]][]).slice(0, lanes);
  if (rows.length === 0) return null;
  return (
    <div className="timeline" aria-hidden="true">
      {rows.map(([name, list]) => (
        <div className="lane" key={name}>
          <span className="dim">{list[0]!.application}</span>
          <div>
            {list.map((r) => {
              const from = at(Date.parse(r.started));
              const to = at(r.ended ? Date.parse(r.ended) : now);
              return (
                <i key={r.name} className={"span " + r.state} style={{ left: from + "%", width: Math.max(0.4, to - from) + "%" }} title={`${r.application} ${r.version}: ${phaseText(r)}, ${clock(new Date(r.started))}`} onClick={() => go(hrefOf(releasePage(r)))} />
              );
            })}
          </div>
        </div>
      ))}
      <div className="lane axis dim">
        <span />
        <div>
          <b>{clock(new Date(start))}</b>
          <b>now</b>
        </div>
      </div>
    </div>
  );
}
