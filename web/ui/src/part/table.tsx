import { useRef, type ReactNode } from "react";
import type { Answer } from "../live";
import { go, hrefOf } from "../url";
import { usePart } from "./rows";

export interface Column<T> {
  head: string;
  cell: (row: T) => ReactNode;
  kind?: string; // classes: num is right-aligned, wide is left out where there is no room
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  page?: (row: T) => string | undefined; // that a row leads to
}

export function Table<T>({ label, columns, rows, keyOf, page }: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const part = usePart(body, rows.length);
  const whole = part.to - part.from === rows.length;
  return (
    <table aria-label={label} aria-rowcount={whole ? undefined : rows.length + 1}>
      <thead>
        <tr>
          {columns.map((c) => (
            <th key={c.head} scope="col" className={c.kind}>
              {c.head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        <Room high={part.above} wide={columns.length} />
        {rows.slice(part.from, part.to).map((row, i) => {
          const to = page?.(row);
          return (
            <tr key={keyOf(row)} data-row="" aria-rowindex={whole ? undefined : part.from + i + 2} className={to && "leads"} onClick={to ? () => go(hrefOf(to)) : undefined}>
              {columns.map((c) => (
                <td key={c.head} className={c.kind}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          );
        })}
        <Room high={part.below} wide={columns.length} />
      </tbody>
    </table>
  );
}

// Room is as high as the rows that are not there.
function Room({ high, wide }: { high: number; wide: number }) {
  if (high === 0) return null;
  return (
    <tr aria-hidden="true" className="room">
      <td colSpan={wide} style={{ height: high }} />
    </tr>
  );
}

// Skeleton has the shape of a table that is being read.
export function Skeleton({ rows = 8 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Reading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} />
      ))}
    </div>
  );
}

// Shown is what was read, or why nothing is there yet.
export function Shown<T>({ answer, children }: { answer: Answer<T>; children: (data: T) => ReactNode }) {
  if (answer.data !== undefined) return <>{children(answer.data)}</>;
  if (answer.refused && answer.refused.status !== 0) {
    return (
      <div className="empty" role="alert">
        <p>{answer.refused.message}</p>
      </div>
    );
  }
  return <Skeleton />;
}
