import type { Version } from "../api";
import { share } from "../format";

// parts are what a version gets of the calls: as a split says, or else as they were sent.
export function parts(versions: Version[]): number[] {
  if (versions.some((v) => v.weight !== undefined)) return versions.map((v) => v.weight ?? 0);
  const all = versions.reduce((sum, v) => sum + v.calls.rate, 0);
  return versions.map((v) => (all > 0 ? v.calls.rate / all : 0));
}

export function Versions({ versions }: { versions: Version[] }) {
  const of = parts(versions);
  const named = versions.filter((v) => v.version !== "");
  if (named.length === 0) return <span className="dim">–</span>;
  if (named.length === 1) return <span className="dim">{named[0]!.version}</span>;
  const text = versions.map((v, i) => `${v.version || "other"} ${share(of[i]!).join("")}`).join(", ");
  return (
    <span className="versions" title={text}>
      <span className="bar" aria-hidden="true">
        {versions.map((v, i) => of[i]! > 0 && <span key={v.version} className={"part" + (i % 4)} style={{ flexGrow: of[i] }} />)}
      </span>
      <span className="dim">{named.map((v) => v.version).join(" ")}</span>
      <span className="hidden">{text}</span>
    </span>
  );
}
