import { Last } from "./part/last";
import { usePlace } from "./url";

// The time range is the same on every page: rates are over the last of it.
const windows = [
  ["10s", "10 s"],
  ["1m", "1 min"],
  ["5m", "5 min"],
] as const;

const usual = "10s";

export function useWindow(): string {
  return usePlace().query.get("window") ?? usual;
}

export function WindowChoice() {
  return <Last label="Time range" name="window" value={useWindow()} usual={usual} all={windows} />;
}
