import { useEffect, useState } from "react";
import type { Rights } from "../api";
import { read, signedIn } from "../client";

// What an API server does not let who looks do is asked once for a namespace; where nobody can say, doing it tells.
const asked = new Map<string, Promise<Rights["not"]>>();

function rights(namespace: string): Promise<Rights["not"]> {
  let all = asked.get(namespace);
  if (!all) {
    all = read<Rights>("rights", { namespace }).then(
      (r) => r.not,
      () => ({}),
    );
    asked.set(namespace, all);
  }
  return all;
}

// rightFor is what a path of the API takes, and where.
export function rightFor(path: string): { namespace: string; right: string } {
  const [kind, namespace = "", , what] = path.split("/");
  switch (kind) {
    case "applications":
      return { namespace, right: "release" };
    case "releases":
      return { namespace, right: "steer" };
    case "runs":
      return { namespace, right: "decide" };
    case "pipelines":
      return { namespace, right: what === "run" ? "run" : "pipeline" };
    case "freezes":
      return { namespace: "", right: namespace ? "unfreeze" : "freeze" };
  }
  return { namespace, right: "" };
}

// useRefusal is why an API server will refuse what a path does, as far as it is known beforehand.
export function useRefusal(path: string): string | undefined {
  const { namespace, right } = rightFor(path);
  const [not, setNot] = useState<Rights["not"]>({});
  useEffect(() => {
    let here = true;
    if (right && signedIn()) void rights(decodeURIComponent(namespace)).then((all) => here && setNot(all));
    return () => void (here = false);
  }, [namespace, right]);
  return not[right];
}
