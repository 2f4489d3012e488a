import type { ReactNode } from "react";
import { count } from "../format";
import { useLive } from "../live";
import { usePlace } from "../url";
import { More } from "./more";
import { Search } from "./search";

// useList reads what the URL asks for of a list.
export function useList<T>(path: string, more: Record<string, string> = {}) {
  const { query } = usePlace();
  return useLive<T>(path, { ...more, search: query.get("search") ?? undefined, limit: query.get("limit") ?? undefined });
}

// Listed frames a list: how to search it, and how much of it was found and is shown.
export function Listed({ what, all, total, shown = total, beside, where, children }: {
  what: string; // one of them
  all: number;
  total: number; // that were found
  shown?: number;
  beside?: ReactNode; // the number of them
  where: string; // is searched
  children: ReactNode;
}) {
  const search = usePlace().query.get("search");
  return (
    <>
      <div className="bar-above">
        <Search label={"Find a " + what} />
        <span className="dim">
          {search ? `${total} of ${count(all, what)}` : count(all, what)}
          {beside}
        </span>
      </div>
      {children}
      {total === 0 && (
        <p className="none dim">
          No {what} has “{search}” in {where}.
        </p>
      )}
      <More shown={shown} total={total} />
    </>
  );
}
