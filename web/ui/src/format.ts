// Numbers as people read them: value and unit apart, so that units can be dim.

export type Measure = [value: string, unit: string];

export function rate(perSecond: number): Measure {
  if (perSecond >= 10_000) return [(perSecond / 1000).toFixed(0), "k/s"];
  if (perSecond >= 1000) return [(perSecond / 1000).toFixed(1), "k/s"];
  return [perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1), "/s"];
}

// share is rounded down: what is not whole is never shown as 100.
export function share(of1: number): Measure {
  const percent = of1 * 100;
  if (percent === 100 || percent === 0) return [percent.toFixed(0), "%"];
  const digits = percent >= 99 ? 2 : 1;
  const scale = 10 ** digits;
  return [(Math.floor(percent * scale) / scale).toFixed(digits), "%"];
}

export function millis(ms: number): Measure {
  if (ms >= 10_000) return [(ms / 1000).toFixed(0), "s"];
  if (ms >= 1000) return [(ms / 1000).toFixed(1), "s"];
  return [ms >= 100 ? ms.toFixed(0) : ms.toFixed(1), "ms"];
}

export function ago(from: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - from.getTime()) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export function lasted(from: Date, to: Date): string {
  const seconds = Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export const clock = (at: Date) => at.toLocaleTimeString([], { hour12: false });

export const count = (n: number, what: string, many = what + "s") => `${n} ${n === 1 ? what : many}`;
