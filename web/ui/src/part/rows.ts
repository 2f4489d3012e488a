import { useEffect, useState, type RefObject } from "react";

// Of a long table only the rows near the window are there; what is above and below them is room.

const many = 100; // rows above which it is so
const usual = 33; // px that a row takes, until some were seen
const beyond = 12; // rows on each side of the window

export interface Part {
  from: number;
  to: number;
  above: number; // px
  below: number;
}

export function usePart(body: RefObject<HTMLElement | null>, rows: number): Part {
  const [[from, to, height], set] = useState([0, many, usual]);
  useEffect(() => {
    if (rows <= many) return;
    let frame = 0;
    const look = () => {
      frame = 0;
      const shown = [...body.current!.querySelectorAll<HTMLElement>("tr[data-row]")];
      const high = shown.length ? shown.reduce((sum, row) => sum + row.offsetHeight, 0) / shown.length : usual;
      const top = -body.current!.getBoundingClientRect().top;
      const first = Math.max(0, Math.floor(top / high) - beyond);
      const last = Math.ceil((top + innerHeight) / high) + beyond;
      set((was) => (was[0] === first && was[1] === last && Math.abs(was[2] - high) < 0.5 ? was : [first, last, high]));
    };
    const soon = () => (frame ||= requestAnimationFrame(look));
    look();
    addEventListener("scroll", soon, true);
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", soon, true);
      removeEventListener("resize", soon);
    };
  }, [body, rows]);
  if (rows <= many) return { from: 0, to: rows, above: 0, below: 0 };
  const end = Math.min(rows, to);
  const begin = Math.min(from, end);
  return { from: begin, to: end, above: begin * height, below: (rows - end) * height };
}
