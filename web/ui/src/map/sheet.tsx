import { memo, type KeyboardEvent } from "react";
import type { State } from "../api";
import { rate, share } from "../format";
import { shapes, words } from "../part/mark";
import type { Places } from "./layout";
import type { Dot, Line, Picture } from "./picture";

// A sheet is a picture as SVG: each dot a card that can be read, and reached by the keyboard.

export const card = { width: 172, height: 40 };

export interface Hands {
  hovered?: string; // a dot or a line
  picked?: string;
  hover: (id?: string) => void;
  pick: (id: string) => void;
  open: (dot: Dot) => void; // its page
  enter: (dot: Dot) => void; // the picture of what is in and around it
}

interface Props extends Hands {
  picture: Picture;
  places: Places;
  down: boolean;
}

// near are the dots and lines that belong to what is pointed at; undefined: nothing is.
export function near(p: Picture, id?: string): Set<string> | undefined {
  if (!id || !(p.dots.some((d) => d.id === id) || p.lines.some((l) => l.id === id))) return undefined;
  const all = new Set([id]);
  for (const l of p.lines) {
    if (l.id === id || l.from === id || l.to === id) all.add(l.id).add(l.from).add(l.to);
  }
  return all;
}

export function Sheet({ picture, places, down, hovered, picked, ...hands }: Props) {
  const lit = near(picture, hovered) ?? near(picture, picked);
  const kind = (id: string) => (lit ? (lit.has(id) ? " lit" : " faded") : "");
  const order = (l: Line) => (l.state === "bad" ? 2 : lit?.has(l.id) ? 1 : 0);
  const at = new Map(picture.dots.map((d) => [d.id, d]));
  return (
    <>
      {["quiet", "warn", "bad"].map((state) => (
        <marker key={state} id={"tip-" + state} className={"tip " + state} viewBox="0 0 6 6" refX="5" refY="3" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">
          <path d="M0 0 6 3 0 6z" />
        </marker>
      ))}
      <Whole picture={picture} places={places} />
      {[...picture.lines]
        .sort((a, b) => order(a) - order(b))
        .map((l) => {
          const [from, to] = [places.get(l.from), places.get(l.to)];
          if (!from || !to) return null;
          return <Wire key={l.id} line={l} path={bend(from, to, down, at.get(l.from)!, at.get(l.to)!)} kind={kind(l.id)} hover={hands.hover} pick={hands.pick} />;
        })}
      {picture.dots.map((d) => {
        const place = places.get(d.id);
        return place && <Card key={d.id} dot={d} x={place[0]} y={place[1]} kind={kind(d.id) + (d.id === picked ? " picked" : "")} {...hands} />;
      })}
    </>
  );
}

// Whole frames the versions of one service.
function Whole({ picture, places }: { picture: Picture; places: Places }) {
  const parts = picture.dots.filter((d) => d.of && places.has(d.id));
  if (parts.length === 0) return null;
  const xs = parts.map((d) => places.get(d.id)![0]);
  const ys = parts.map((d) => places.get(d.id)![1]);
  const [x, y] = [Math.min(...xs) - card.width / 2 - 12, Math.min(...ys) - card.height / 2 - 30];
  return (
    <g className="whole">
      <rect x={x} y={y} width={Math.max(...xs) + card.width / 2 + 12 - x} height={Math.max(...ys) + card.height / 2 + 12 - y} rx="8" />
      <text x={x + 12} y={y + 19}>
        {parts[0]!.of!.split("/")[1]}
      </text>
    </g>
  );
}

const half = (d: Dot) => (d.kind === "namespace" ? radius(d) : card.width / 2);
const tall = (d: Dot) => (d.kind === "namespace" ? radius(d) : card.height / 2);

function bend([x, y]: readonly [number, number], [u, v]: readonly [number, number], down: boolean, from: Dot, to: Dot): string {
  if (from === to) return `M${x + half(from)} ${y - 6}C${x + half(from) + 40} ${y - 40} ${x + half(from) + 40} ${y + 40} ${x + half(from)} ${y + 6}`;
  if (down) {
    const [a, b] = [y + tall(from), v - tall(to)];
    const reach = Math.max(24, Math.abs(b - a) / 2);
    return `M${x} ${a}C${x} ${a + reach} ${u} ${b - reach} ${u} ${b}`;
  }
  const [a, b] = [x + half(from), u - half(to)];
  const reach = b > a ? Math.max(24, (b - a) / 2) : 60;
  const sag = b > a ? 0 : Math.sign(v - y || 1) * 24; // backwards: around the cards
  return `M${a} ${y}C${a + reach} ${y + sag} ${b - reach} ${v - sag} ${b} ${v}`;
}

export const width = (perSecond: number) => 1 + Math.log10(1 + perSecond) * 1.1;
const colour = (s: State) => (s === "bad" || s === "warn" ? s : "quiet");
const pace = (perSecond: number) => `${Math.max(0.4, 2.4 - Math.log10(1 + perSecond) * 0.6)}s`;

interface WireProps {
  line: Line;
  path: string;
  kind: string;
  hover: Hands["hover"];
  pick: Hands["pick"];
}

const Wire = memo(function Wire({ line: l, path, kind, hover, pick }: WireProps) {
  const lively = l.state === "bad" || kind === " lit";
  return (
    <g className={"wire " + colour(l.state) + (l.state === "idle" ? " still" : "") + kind} onPointerEnter={() => hover(l.id)} onPointerLeave={() => hover()} onClick={() => pick(l.id)}>
      <path className="reach" d={path} />
      <path className={"line" + (l.plain ? " plain" : "")} d={path} strokeWidth={width(l.rate)} markerEnd={`url(#tip-${colour(l.state)})`} />
      {l.state === "bad" && <path className="ticks" d={path} />}
      {lively && l.rate > 0 && <path className="moves" d={path} style={{ animationDuration: pace(l.rate) }} />}
      {kind === " lit" && (
        <title>{`${l.from} calls ${l.to}: ${rate(l.rate).join("")}, ${share(l.failing).join("")} fail`}</title>
      )}
    </g>
  );
});

const radius = (d: Dot) => 14 + Math.log10(1 + d.rate) * 6;

interface CardProps extends Omit<Hands, "hovered" | "picked"> {
  dot: Dot;
  x: number;
  y: number;
  kind: string;
}

const Card = memo(function Card({ dot: d, x, y, kind, hover, pick, open, enter }: CardProps) {
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === "Enter") open(d);
    else if (e.key === " ") pick(d.id);
    else if (e.key === "f") enter(d);
    else return;
    e.preventDefault();
  };
  return (
    <g
      className={`card ${d.kind} ${d.state}${d.context ? " context" : ""}${kind}`}
      transform={`translate(${x} ${y})`}
      role="button"
      tabIndex={0}
      onPointerEnter={() => hover(d.id)}
      onPointerLeave={() => hover()}
      onFocus={() => hover(d.id)}
      onBlur={() => hover()}
      onClick={() => pick(d.id)}
      onDoubleClick={() => enter(d)}
      onKeyDown={onKeyDown}
    >
      <text className="said">{said(d)}</text>
      {d.kind === "namespace" ? <Bubble dot={d} /> : <Face dot={d} />}
    </g>
  );
});

function said(d: Dot): string {
  return `${d.kind === "namespace" ? "namespace " : ""}${d.label}: ${[words[d.state], numbers(d), d.why].filter(Boolean).join(", ")}`;
}

const pen = document.createElement("canvas").getContext("2d")!;
pen.font = "600 13px " + getComputedStyle(document.body).fontFamily; // as .card .label

// fitted is as much of a text as there is room for.
function fitted(text: string, room: number): string {
  if (pen.measureText(text).width <= room) return text;
  let short = text;
  while (short && pen.measureText(short + "…").width > room) short = short.slice(0, -1);
  return short + "…";
}

function Face({ dot: d }: { dot: Dot }) {
  const { width: w, height: h } = card;
  return (
    <>
      <rect x={-w / 2} y={-h / 2} width={w} height={h} rx={d.kind === "gateway" ? h / 2 : d.kind === "service" || d.kind === "version" ? 6 : 0}>
        {d.why && <title>{d.why}</title>}
      </rect>
      <g className={"mark " + d.state} transform={`translate(${-w / 2 + 11} -6)`}>
        {shapes[d.state]}
      </g>
      <text className="label" aria-hidden="true" x={-w / 2 + 30} y={-3}>
        {fitted(d.label, w - 40)}
      </text>
      <text className="numbers" aria-hidden="true" x={-w / 2 + 30} y={12}>
        {numbers(d)}
      </text>
    </>
  );
}

function numbers(d: Dot): string {
  const parts = [d.rate > 0 ? rate(d.rate).join("") : d.kind === "gateway" || d.kind === "caller" ? d.kind : "not called"];
  if (d.failing >= 0.0005) parts.push(share(d.failing).join("") + " fail");
  if (d.fallbacks && d.fallbacks >= 0.0005) parts.push(share(d.fallbacks).join("") + " fallback");
  if (d.note) parts.push(d.note);
  return parts.join(" · ");
}

// A bubble is as large as its rate; of its ring that part is marked that fails.
function Bubble({ dot: d }: { dot: Dot }) {
  const r = radius(d);
  const round = 2 * Math.PI * r;
  const part = d.failing > 0 ? Math.max(0.03, d.failing) : 0;
  return (
    <>
      <circle className="disc" r={r} />
      {part > 0 && <circle className="share" r={r} strokeDasharray={`${round * part} ${round}`} transform="rotate(-90)" />}
      <g className={"mark " + d.state} transform="translate(-6 -6)">
        {shapes[d.state]}
      </g>
      <text className="label middle" aria-hidden="true" y={r + 15}>
        {d.label}
      </text>
      <text className="numbers middle" aria-hidden="true" y={r + 29}>
        {d.note}
      </text>
    </>
  );
}
