import { choose, usePlace } from "./url";

// The time range is the same on every page: rates are over the last of it.
const windows = [
  ["10s", "10 s"],
  ["1m", "1 min"],
  ["5m", "5 min"],
] as const;

export function useWindow(): string {
  return usePlace().query.get("window") ?? "10s";
}

export function WindowChoice() {
  const chosen = useWindow();
  return (
    <select aria-label="Time range" value={chosen} onChange={(e) => choose("window", e.target.value === "10s" ? "" : e.target.value)}>
      {windows.map(([value, name]) => (
        <option key={value} value={value}>
          last {name}
        </option>
      ))}
    </select>
  );
}
