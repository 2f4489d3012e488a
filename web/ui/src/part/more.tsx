import { choose } from "../url";

const most = 2000; // that a list can be told

// More says how much of a list is not shown, and shows it.
export function More({ shown, total }: { shown: number; total: number }) {
  if (shown >= total) return null;
  return (
    <p className="more">
      <span className="dim">
        {shown} of {total} are shown.
      </span>
      {shown < most && (
        <button type="button" onClick={() => choose("limit", String(Math.min(most, shown * 4)))}>
          Show more
        </button>
      )}
    </p>
  );
}
