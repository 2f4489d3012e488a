import { useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import type { ServicePage, Topology } from "../api";
import { count } from "../format";
import { useLive } from "../live";
import { Empty } from "../part/command";
import { Search } from "../part/search";
import { Shown, Skeleton } from "../part/table";
import { choose, go, hrefOf, usePlace } from "../url";
import { useWindow } from "../window";
import { Crowd } from "./crowd";
import { OfDot, OfLine } from "./drawer";
import "./map.css";
import { byVersion, idOf, pageOf, picture, type Choice, type Dot, type Picture } from "./picture";
import { isCrowded, usePlaces } from "./places";
import { Replay, replay, useRead } from "./replay";
import { Sheet, type Hands } from "./sheet";
import { useNavigation } from "./view";
import { Ways } from "./ways";

export default function MapPage() {
  const at = usePlace().query.get("at");
  if (!at) return <Now />;
  return (
    <>
      <Replay at={at} />
      <Then at={at} />
    </>
  );
}

function Now() {
  const answer = useLive<Topology>("topology", { window: useWindow() });
  return (
    <Shown answer={answer}>
      {(t) =>
        t.nodes.length === 0 ? (
          <Empty text="Nothing is on the map yet: a service is there as soon as an application runs, and a line to it with its first call." command="weft run --app hello --version v1 --port 8000 -- ./hello" />
        ) : (
          <Map topology={t} past={false} />
        )
      }
    </Shown>
  );
}

function Then({ at }: { at: string }) {
  const answer = useRead<Topology>("topology", { at });
  return <Shown answer={answer}>{(t) => <Map topology={t} past />}</Shown>;
}

const narrow = matchMedia("(max-width: 760px)");

function useNarrow(): boolean {
  return useSyncExternalStore(
    (tell) => {
      narrow.addEventListener("change", tell);
      return () => narrow.removeEventListener("change", tell);
    },
    () => narrow.matches,
  );
}

function useChoice(): Choice {
  const { query } = usePlace();
  const of = (name: string) => query.get(name) ?? "";
  return { focus: of("focus"), namespace: of("namespace"), show: of("show"), search: of("search"), idle: of("idle") === "shown" };
}

// part shows another part of the mesh: what led to the one before is chosen no more.
function part(name?: string, value = "") {
  for (const other of ["focus", "namespace", "show", "search", "pick"]) if (other !== name) choose(other, "");
  if (name) choose(name, value);
}

function Map({ topology, past }: { topology: Topology; past: boolean }) {
  const choice = useChoice();
  const whole = useMemo(() => picture(topology, choice), [topology, JSON.stringify(choice)]);
  const inFocus = whole.shows === "focus" && topology.nodes.find((n) => idOf(n) === choice.focus);
  if (inFocus && (inFocus.versions?.length ?? 0) > 1) return <ByVersion whole={whole} choice={choice} left={topology.left} />;
  return <Framed picture={whole} past={past} choice={choice} left={topology.left} />;
}

// ByVersion has the service in focus taken apart.
function ByVersion({ whole, choice, left }: { whole: Picture; choice: Choice; left: number }) {
  const { data } = useLive<ServicePage>("services/" + choice.focus, { window: useWindow() });
  const shown = useMemo(() => data && byVersion(whole, data), [whole, data]);
  return shown ? <Framed picture={shown} whole={whole} choice={choice} left={left} /> : <Skeleton />;
}

interface FramedProps {
  picture: Picture;
  whole?: Picture; // before it was taken apart
  choice: Choice;
  left: number; // that the server left out
  past?: boolean;
}

function Framed({ picture: p, whole = p, choice, left, past = false }: FramedProps) {
  const { query } = usePlace();
  const table = query.get("as") === "table";
  const idle = () => choose("idle", choice.idle ? "" : "shown");
  const turn = () => choose("as", table ? "" : "table");
  useKeys({ t: turn, i: idle });
  return (
    <div className="map">
      <div className="bar-above">
        <Search label="Find" />
        <Parts shows={p.shows} />
        <Switch on={choice.idle} set={idle} hint="i">
          Idle
        </Switch>
        <Switch on={table} set={turn} hint="t">
          Table
        </Switch>
        <button type="button" aria-pressed={past} onClick={() => replay(!past)}>
          Replay
        </button>
        <Summary picture={p} choice={choice} left={left} />
      </div>
      {p.dots.length === 0 ? <p className="none dim">{nothing(choice)}</p> : table ? <Ways picture={p} past={past} /> : <Sight picture={p} whole={whole} past={past} pick={query.get("pick") ?? ""} />}
    </div>
  );
}

function nothing(c: Choice): string {
  if (c.search) return `Nothing is found by “${c.search}”. Words are parts of a name, or ns:NAMESPACE, errors, release, outside, plain; -WORD hides.`;
  if (c.focus || c.namespace) return `Of ${c.focus || c.namespace} nothing is known, or it is idle.`;
  return "Nothing needs attention.";
}

function Parts({ shows }: { shows: Picture["shows"] }) {
  const all: [Picture["shows"], string][] = [["attention", "Attention"], ["services", "Services"], ["namespaces", "Namespaces"]];
  return (
    <span className="parts" role="group" aria-label="What is shown">
      {all.map(([name, title]) => (
        <button key={name} type="button" aria-pressed={shows === name} onClick={() => part("show", name)}>
          {title}
        </button>
      ))}
    </span>
  );
}

function Switch({ on, set, hint, children }: { on: boolean; set: () => void; hint: string; children: ReactNode }) {
  return (
    <button type="button" aria-pressed={on} aria-keyshortcuts={hint} onClick={set}>
      {children} <kbd aria-hidden="true">{hint}</kbd>
    </button>
  );
}

function Summary({ picture: p, choice, left }: { picture: Picture; choice: Choice; left: number }) {
  const where = choice.focus || choice.namespace;
  const failing = p.dots.filter((d) => d.state === "bad" && !d.of).length;
  return (
    <span className="dim" role="status">
      {where && !choice.search && (
        <>
          <b>{where}</b>{" "}
          <button type="button" onClick={() => part()}>
            back to all
          </button>{" "}
        </>
      )}
      {count(p.dots.length, p.shows === "namespaces" ? "namespace" : "node")}, {count(p.lines.length, "edge")}
      {failing > 0 && <span className="bad">, {failing} failing</span>}
      {p.cut > 0 && `, ${p.cut} more have no room`}
      {left > 0 && `; ${left} are beyond what the server draws`}
    </span>
  );
}

function useKeys(keys: Record<string, () => void>) {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const typing = e.target instanceof HTMLElement && e.target.matches("input, textarea, select");
      if (typing || e.ctrlKey || e.metaKey || e.altKey || !now.current[e.key]) return;
      e.preventDefault();
      now.current[e.key]!();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

const enter = (d: Dot) => (d.kind === "namespace" ? part("namespace", d.namespace) : part("focus", d.of ?? d.id));

// Sight is the picture in its window, and what is picked of it.
function Sight({ picture: p, whole, past, pick }: { picture: Picture; whole: Picture; past: boolean; pick: string }) {
  const down = useNarrow();
  const [hovered, hover] = useState<string>();
  const [anew, setAnew] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  const places = usePlaces(p, down, anew);
  const crowded = isCrowded(p);
  const navigation = useNavigation(frame, places, [p.key, down, anew].join("|"), crowded ? 0 : down ? 0.6 : p.shows === "namespaces" ? 0.35 : 0.5);
  const { view, zoom, reset, hold } = navigation;
  const close = () => choose("pick", "");
  useKeys({ Escape: close, "0": reset, "+": () => zoom(1.3), "-": () => zoom(1 / 1.3) });
  const open = (d: Dot) => (pageOf(d) ? go(hrefOf(pageOf(d)!)) : enter(d));
  const hands: Hands = { hovered, picked: pick, hover, open, enter, pick: (id) => !navigation.dragged() && choose("pick", id) };
  return (
    <div className="sight">
      <div className="window" ref={frame} {...hold} onLostPointerCapture={hold.onPointerUp}>
        {places && !crowded && (
          <svg role="group" aria-label="Map" className={p.shows}>
            <g transform={`translate(${view.x} ${view.y}) scale(${view.k})`}>
              <Sheet picture={p} places={places} down={down} {...hands} />
            </g>
          </svg>
        )}
        {places && crowded && <Crowd picture={p} places={places} navigation={navigation} {...hands} />}
        <div className="tools">
          <button type="button" aria-label="Nearer" onClick={() => zoom(1.3)}>
            +
          </button>
          <button type="button" aria-label="Farther" onClick={() => zoom(1 / 1.3)}>
            −
          </button>
          <button type="button" aria-label="All in view" onClick={reset}>
            ⤢
          </button>
          <button type="button" onClick={() => setAnew(anew + 1)}>
            Arrange
          </button>
        </div>
        <Legend />
      </div>
      <Picked picture={p} whole={whole} past={past} id={pick} close={close} pick={(id) => choose("pick", id)} />
    </div>
  );
}

interface PickedProps {
  picture: Picture;
  whole: Picture;
  past: boolean;
  id: string;
  close: () => void;
  pick: (id: string) => void;
}

// Picked is a service, also where one of its versions was, or a line.
function Picked({ picture: p, whole, past, id, close, pick }: PickedProps) {
  const line = p.lines.find((l) => l.id === id);
  const end = (of: string) => p.dots.find((d) => d.id === of)!;
  if (line) return <OfLine line={line} past={past} from={end(line.from)} to={end(line.to)} close={close} pick={pick} />;
  const dot = whole.dots.find((d) => d.id === id.split("#")[0]);
  return dot ? <OfDot dot={dot} past={past} enter={enter} close={close} /> : null;
}

function Legend() {
  const sample = (kind: string, width: number, ticks = false, plain = false) => (
    <svg viewBox="0 0 28 8" aria-hidden="true" className={"wire " + kind}>
      <path className={"line" + (plain ? " plain" : "")} d="M1 4h26" strokeWidth={width} />
      {ticks && <path className="ticks" d="M1 4h26" />}
    </svg>
  );
  return (
    <p className="legend dim">
      <span>{sample("quiet", 1.2)}few</span>
      <span>{sample("quiet", 4.5)}many requests</span>
      <span>{sample("bad", 2.5, true)}1% or more fail</span>
      <span>{sample("quiet", 2, false, true)}plain text</span>
    </p>
  );
}
