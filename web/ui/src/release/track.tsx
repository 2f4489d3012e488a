import type { ReleasePage } from "../api";

const usual: Record<string, number[]> = { canary: [5, 25, 50, 100], blueGreen: [100], highlander: [100], recreate: [100] };

// Track is the way of a release: the shares that it goes through, and where it stands.
export function Track({ r }: { r: ReleasePage }) {
  const shares = r.steps.length > 0 ? r.steps : (usual[r.strategy ?? ""] ?? [100]);
  const all = [0, ...shares.filter((s) => s < 100), 100];
  const back = r.phase === "RolledBack" || r.phase === "RollingBack" || r.phase === "Failed";
  return (
    <ol className={"track " + r.state} aria-label={`${r.version} gets ${r.weight}%; the shares are ${shares.join(", ")}%`}>
      {all.map((s) => {
        const here = s === r.weight;
        const kind = back ? (here ? "here" : "") : here ? "here" : s < r.weight ? "done" : "";
        return (
          <li key={s} className={kind} aria-current={here ? "step" : undefined}>
            <i aria-hidden="true" />
            <span>{s === 0 ? "private" : s + "%"}</span>
          </li>
        );
      })}
    </ol>
  );
}
