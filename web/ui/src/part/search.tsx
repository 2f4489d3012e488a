import { useEffect, useRef } from "react";
import { choose, usePlace } from "../url";

// Search narrows a list; / leads to it from anywhere on the page.
export function Search({ label }: { label: string }) {
  const { query } = usePlace();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const typing = e.target instanceof HTMLElement && e.target.matches("input, textarea, select");
      if (e.key !== "/" || typing || e.ctrlKey || e.metaKey) return;
      e.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <input
      ref={input}
      type="search"
      aria-label={label}
      placeholder={label + "  /"}
      value={query.get("search") ?? ""}
      onChange={(e) => choose("search", e.target.value)}
    />
  );
}
