import { useEffect, useRef } from "react";
import { choose } from "../url";

const most = 2000; // that a list can be told

// More says how much of a list is not shown, and shows it: to who scrolls there, or asks.
export function More({ shown, total }: { shown: number; total: number }) {
  const end = useRef<HTMLParagraphElement>(null);
  const next = shown < total && shown < most ? String(Math.min(most, shown * 4)) : "";
  useEffect(() => {
    if (!next) return;
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && choose("limit", next));
    seen.observe(end.current!);
    return () => seen.disconnect();
  }, [next]);
  if (shown >= total) return null;
  return (
    <p className="more" ref={end}>
      <span className="dim">
        {shown} of {total} are shown.
      </span>
      {next && (
        <button type="button" onClick={() => choose("limit", next)}>
          Show more
        </button>
      )}
    </p>
  );
}
