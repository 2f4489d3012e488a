import type { Measure } from "../format";

// Nothing to measure is a dash, not a zero.
export function Num({ of, none }: { of: Measure; none?: boolean }) {
  if (none) return <span className="dim">–</span>;
  return (
    <>
      {of[0]}
      <span className="unit">{of[1]}</span>
    </>
  );
}
