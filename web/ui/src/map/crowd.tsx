import { useEffect, useRef, useSyncExternalStore, type PointerEvent } from "react";
import type { State } from "../api";
import type { Places } from "./layout";
import type { Dot, Picture } from "./picture";
import { near, width, type Hands } from "./sheet";
import type { Navigation } from "./view";

// A crowd is a picture of so many dots that no names can be read: on a canvas, coloured dots by namespace.

interface Props extends Hands {
  picture: Picture;
  places: Places;
  navigation: Navigation;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const names = ["--text", "--dim", "--quiet", "--ok", "--warn", "--bad", "--accent", "--ground"] as const;
type Colours = Record<(typeof names)[number], string>;

// colours are the page's own, as the canvas needs them.
function coloursOf(element: HTMLElement): Colours {
  const all = {} as Colours;
  for (const name of names) {
    element.style.color = `var(${name})`;
    all[name] = getComputedStyle(element).color;
  }
  element.style.color = "";
  return all;
}

const tones: Record<State, keyof Colours> = { bad: "--bad", warn: "--warn", changing: "--accent", ok: "--ok", idle: "--dim" };
const reach = 12; // px within which a dot is meant

export function Crowd({ picture, places, navigation, hovered, picked, hover, pick, enter, open }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useSyncExternalStore(
    (tell) => {
      dark.addEventListener("change", tell);
      return () => dark.removeEventListener("change", tell);
    },
    () => dark.matches + (document.documentElement.dataset.theme ?? ""),
  );
  const { view, size } = navigation;
  useEffect(() => {
    const frame = requestAnimationFrame(() => draw(canvas.current!, picture, places, navigation, near(picture, hovered) ?? near(picture, picked)));
    return () => cancelAnimationFrame(frame);
  }, [picture, places, view, size, hovered, picked, theme]);
  const under = (e: { clientX: number; clientY: number }): Dot | undefined => {
    const box = canvas.current!.getBoundingClientRect();
    const [x, y] = [(e.clientX - box.left - view.x) / view.k, (e.clientY - box.top - view.y) / view.k];
    let best: Dot | undefined;
    let closest = reach / Math.min(1, view.k);
    for (const d of picture.dots) {
      const at = places.get(d.id);
      const far = at ? Math.hypot(at[0] - x, at[1] - y) : Infinity;
      if (far < closest) [best, closest] = [d, far];
    }
    return best;
  };
  const onPointerMove = (e: PointerEvent) => {
    const id = under(e)?.id;
    if (id !== hovered) hover(id);
  };
  const dot = picture.dots.find((d) => d.id === (hovered ?? picked));
  const at = dot && places.get(dot.id);
  return (
    <>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${picture.dots.length} services by namespace. The table (key t) says the same.`}
        onPointerMove={onPointerMove}
        onPointerLeave={() => hover()}
        onClick={(e) => !navigation.dragged() && under(e) && pick(under(e)!.id)}
        onDoubleClick={(e) => under(e) && enter(under(e)!)}
        onKeyDown={(e) => e.key === "Enter" && dot && open(dot)}
      />
      {dot && at && (
        <p className="name" style={{ left: at[0] * view.k + view.x, top: at[1] * view.k + view.y }}>
          {dot.label} <span className="dim">{dot.namespace}</span>
        </p>
      )}
    </>
  );
}

function draw(canvas: HTMLCanvasElement, p: Picture, places: Places, { view, size: [w, h] }: Navigation, lit?: Set<string>) {
  const scale = devicePixelRatio;
  if (canvas.width !== w * scale) canvas.width = w * scale;
  if (canvas.height !== h * scale) canvas.height = h * scale;
  const c = canvas.getContext("2d")!;
  const colours = coloursOf(canvas);
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, w, h);
  c.setTransform(scale * view.k, 0, 0, scale * view.k, scale * view.x, scale * view.y);
  lines(c, p, places, colours, view.k, lit);
  dots(c, p, places, colours, view.k, lit);
  labels(c, p, places, colours, view.k);
}

// Lines of one colour and width are one path.
function lines(c: CanvasRenderingContext2D, p: Picture, places: Places, colours: Colours, k: number, lit?: Set<string>) {
  const paths = new Map<string, Path2D>();
  for (const l of p.lines) {
    const [from, to] = [places.get(l.from), places.get(l.to)];
    if (!from || !to) continue;
    const tone = l.state === "bad" || l.state === "warn" ? tones[l.state] : "--quiet";
    const alpha = lit ? (lit.has(l.id) ? 1 : 0.04) : tone === "--quiet" ? 0.22 : 0.9;
    const key = [tone, alpha, Math.round(width(l.rate)), l.plain ? "plain" : ""].join("|");
    const path = paths.get(key) ?? new Path2D();
    path.moveTo(from[0], from[1]);
    path.lineTo(to[0], to[1]);
    paths.set(key, path);
  }
  for (const [key, path] of [...paths].sort(([a], [b]) => Number(a.startsWith("--bad")) - Number(b.startsWith("--bad")))) {
    const [tone, alpha, wide, plain] = key.split("|");
    c.strokeStyle = colours[tone as keyof Colours];
    c.globalAlpha = Number(alpha);
    c.lineWidth = (Number(wide) * 0.6) / Math.max(k, 0.4);
    c.setLineDash(plain ? [4, 4] : []);
    c.stroke(path);
  }
  c.globalAlpha = 1;
  c.setLineDash([]);
}

function dots(c: CanvasRenderingContext2D, p: Picture, places: Places, colours: Colours, k: number, lit?: Set<string>) {
  for (const d of [...p.dots].reverse()) {
    const at = places.get(d.id);
    if (!at) continue;
    c.globalAlpha = lit && !lit.has(d.id) ? 0.15 : 1;
    c.fillStyle = colours[tones[d.state]];
    shape(c, d, at[0], at[1], (d.state === "bad" ? 9 : 5 + Math.log10(1 + d.rate)) / Math.max(1, k * 0.8));
  }
  c.globalAlpha = 1;
}

// shape is that of the state's mark.
function shape(c: CanvasRenderingContext2D, d: Dot, x: number, y: number, r: number) {
  c.beginPath();
  if (d.state === "bad") {
    c.moveTo(x, y - r);
    c.lineTo(x + r, y + r * 0.8);
    c.lineTo(x - r, y + r * 0.8);
  } else if (d.state === "warn") {
    c.moveTo(x, y - r);
    c.lineTo(x + r, y);
    c.lineTo(x, y + r);
    c.lineTo(x - r, y);
  } else c.arc(x, y, r * 0.8, 0, 7);
  c.fill();
}

// labels are those of namespaces, and near by also those of dots.
function labels(c: CanvasRenderingContext2D, p: Picture, places: Places, colours: Colours, k: number) {
  const tops = new Map<string, [number, number, number]>();
  c.textAlign = "center";
  c.lineWidth = 3 / k;
  c.strokeStyle = colours["--ground"];
  const write = (text: string, x: number, y: number) => {
    c.strokeText(text, x, y);
    c.fillText(text, x, y);
  };
  c.font = `${11 / k}px system-ui, sans-serif`;
  c.fillStyle = colours["--dim"];
  for (const d of p.dots) {
    const [x, y] = places.get(d.id) ?? [0, 0];
    const [sum, top, n] = tops.get(d.namespace) ?? [0, Infinity, 0];
    tops.set(d.namespace, [sum + x, Math.min(top, y), n + 1]);
    if (k > 1.8) write(d.label, x, y + 16 / k);
  }
  c.font = `600 ${12 / k}px system-ui, sans-serif`;
  c.fillStyle = colours["--text"];
  if (tops.size < 100 || k > 0.6) for (const [name, [sum, top, n]] of tops) write(name, sum / n, top - 12 / k);
}
