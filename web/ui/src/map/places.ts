import { useEffect, useRef, useState } from "react";
import { grow, type Places, type Plan } from "./layout";
import type { Picture } from "./picture";

const crowded = 300; // dots above which they are no cards any more

export const isCrowded = (p: Picture) => p.dots.length > crowded;

// usePlaces has a worker find where dots are. As long as the picture is the same, they stay there: what
// is new grows in beside them.
export function usePlaces(p: Picture | undefined, down: boolean, anew: number): Places | undefined {
  const key = p && [p.key, down, isCrowded(p), anew].join("|");
  const [found, setFound] = useState<{ key: string; places: Places }>();
  const worker = useRef<Worker>(undefined);
  useEffect(() => () => worker.current?.terminate(), []);
  const plan = p && planOf(p, down);
  useEffect(() => {
    if (!plan || !key) return;
    worker.current?.terminate();
    worker.current = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    worker.current.onmessage = (e: MessageEvent<Places>) => {
      worker.current?.terminate();
      setFound({ key, places: e.data });
    };
    worker.current.postMessage(plan);
    // The rest of the plan is that of the first picture of this key.
  }, [key]);
  if (!plan || !found || found.key !== key) return undefined;
  const isNew = plan.ids.filter((id) => !found.places.has(id));
  if (isNew.length > 0) found.places = grow(found.places, plan);
  return found.places;
}

function planOf(p: Picture, down: boolean): Plan {
  const dots = [...p.dots].sort((a, b) => (a.id < b.id ? -1 : 1));
  const drawn = new Set(dots.map((d) => d.id));
  return {
    ids: dots.map((d) => d.id),
    groups: dots.map((d) => d.namespace),
    ties: p.ties.filter(([a, b]) => drawn.has(a) && drawn.has(b)),
    down,
    crowded: isCrowded(p),
    bubbles: p.shows === "namespaces",
  };
}
