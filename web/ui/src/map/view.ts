import { useCallback, useEffect, useRef, useState, type PointerEvent, type RefObject } from "react";
import type { Places } from "./layout";

// A view is which part of the sheet is in the window: a point of it is at x + k * its own.
export interface View {
  x: number;
  y: number;
  k: number;
}

const margin = { x: 112, y: 60 }; // around the middles of the outermost dots
const [smallest, largest] = [0.05, 3];

// fit has all of it in the window, or, where it could not be read then, its beginning.
export function fit(places: Places, width: number, height: number, readable: number): View {
  const xs = [...places.values()].map(([x]) => x);
  const ys = [...places.values()].map(([, y]) => y);
  const [left, top] = [Math.min(...xs) - margin.x, Math.min(...ys) - margin.y];
  const [wide, high] = [Math.max(...xs) + margin.x - left, Math.max(...ys) + margin.y - top];
  const k = Math.max(readable, Math.min(1.15, width / wide, height / high));
  const at = (size: number, room: number, from: number) => (size * k <= room ? (room - size * k) / 2 : 0) - from * k;
  return { x: at(wide, width, left), y: at(high, height, top), k };
}

function zoomed(v: View, factor: number, x: number, y: number): View {
  const k = Math.min(largest, Math.max(smallest, v.k * factor));
  return { k, x: x - ((x - v.x) * k) / v.k, y: y - ((y - v.y) * k) / v.k };
}

export interface Navigation {
  view: View;
  size: [width: number, height: number];
  zoom: (factor: number) => void;
  reset: () => void;
  hold: { onPointerDown: (e: PointerEvent) => void; onPointerMove: (e: PointerEvent) => void; onPointerUp: (e: PointerEvent) => void };
  dragged: () => boolean; // what just ended was no click
}

// useNavigation has the wheel zoom and the pointer drag. A new key begins with all in view.
export function useNavigation(frame: RefObject<HTMLElement | null>, places: Places | undefined, key: string, readable: number): Navigation {
  const [size, setSize] = useState<[number, number]>([0, 0]);
  const [moved, setMoved] = useState<{ key: string; view: View }>();
  const drag = useRef<{ x: number; y: number; far: boolean }>(undefined);
  const far = useRef(false);
  const [width, height] = size;
  const whole = places && places.size > 0 && width > 0 ? fit(places, width, height, readable) : { x: 0, y: 0, k: 1 };
  const view = moved?.key === key ? moved.view : whole;
  const now = useRef(view);
  now.current = view;
  const set = useCallback((next: View) => setMoved({ key, view: next }), [key]);
  useEffect(() => {
    const element = frame.current!;
    const seen = new ResizeObserver(() => setSize([element.clientWidth, element.clientHeight]));
    seen.observe(element);
    return () => seen.disconnect();
  }, [frame]);
  useEffect(() => {
    const element = frame.current!;
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const at = element.getBoundingClientRect();
      set(zoomed(now.current, Math.exp(-e.deltaY * 0.0015), e.clientX - at.left, e.clientY - at.top));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [frame, set]);
  return {
    view,
    size,
    zoom: (factor) => set(zoomed(view, factor, width / 2, height / 2)),
    reset: () => setMoved(undefined),
    dragged: () => far.current,
    hold: {
      onPointerDown: (e) => {
        if (e.button !== 0) return;
        drag.current = { x: e.clientX, y: e.clientY, far: false };
        far.current = false;
      },
      onPointerMove: (e) => {
        const from = drag.current;
        if (!from) return;
        const [dx, dy] = [e.clientX - from.x, e.clientY - from.y];
        if (!from.far && Math.hypot(dx, dy) < 4) return;
        if (!from.far) e.currentTarget.setPointerCapture(e.pointerId);
        far.current = true;
        drag.current = { x: e.clientX, y: e.clientY, far: true };
        set({ ...now.current, x: now.current.x + dx, y: now.current.y + dy });
      },
      onPointerUp: () => (drag.current = undefined),
    },
  };
}
