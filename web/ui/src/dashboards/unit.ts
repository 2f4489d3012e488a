import { millis, rate, type Measure } from "../format";

// measure is a value as its unit, which is Grafana's, is read.
export function measure(unit: string, n: number): Measure {
  switch (unit) {
    case "reqps":
      return n > 0 && n < 0.05 ? [n.toPrecision(1), "/s"] : rate(n);
    case "s":
      return millis(1000 * n);
    case "percent":
      return [n === 0 || n >= 100 ? n.toFixed(0) : n.toFixed(n < 1 ? 2 : 1), "%"];
    case "bytes":
      return [(n / (1 << 20)).toFixed(n < 100 << 20 ? 1 : 0), "MiB"];
  }
  return [Number.isInteger(n) ? n.toFixed(0) : n.toFixed(1), ""];
}

// top is where an axis ends above the highest value: 1, 2 or 5 of some power of ten.
export function top(most: number): number {
  if (most <= 0) return 1;
  const ten = 10 ** Math.floor(Math.log10(most));
  return ten * [1, 2, 5, 10].find((n) => n * ten >= most * 0.999)!;
}
