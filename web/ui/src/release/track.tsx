import type { ReleasePage } from "../api";

const usual: Record<string, number[]> = { canary: [5, 25, 50, 100], blueGreen: [100], highlander: [100], recreate: [100] };

// Track is the way of a release: the shares that it goes through, where it stands, and where it failed.
export function Track({ r }: { r: ReleasePage }) {
  const shares = r.steps.length > 0 ? r.steps : (usual[r.strategy ?? ""] ?? [100]);
  const failed = failedAt(r);
  const reached = failed ?? r.weight;
  const all = [...new Set([0, ...shares, reached, 100])].sort((a, b) => a - b);
  const said = failed === undefined ? "" : ` it failed at ${shareText(failed)};`;
  return (
    <ol className={"track " + r.state} aria-label={`${r.version} gets ${r.weight}%;${said} the shares are ${shares.join(", ")}%`}>
      {all.map((s) => (
        <li key={s} className={s === reached ? "here" : s < reached ? "done" : ""} aria-current={s === r.weight ? "step" : undefined}>
          <i aria-hidden="true" />
          <span>{shareText(s)}</span>
          {s === failed && s > 0 && <span className="said">failed here, {r.weight > 0 ? `now ${r.weight}%` : "private again"}</span>}
        </li>
      ))}
    </ol>
  );
}

const shareText = (share: number) => (share === 0 ? "private" : share + "%");

const back = new Set(["RolledBack", "RollingBack", "Failed"]);

// failedAt is the last share that a release had of those that it lost.
function failedAt(r: ReleasePage): number | undefined {
  if (!back.has(r.phase)) return undefined;
  return r.events.find((e) => e.weight > 0)?.weight ?? 0;
}
