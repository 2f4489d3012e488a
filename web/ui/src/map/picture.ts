import type { Edge, End, Node, NodeKind, ServicePage, State, Topology, Version, Way } from "../api";
import { failing } from "../service/edges";

// A picture is what of the mesh is drawn: which part, is chosen in the URL.

export interface Dot extends Omit<Node, "name" | "kind" | "versions" | "releasing"> {
  id: string;
  label: string;
  kind: NodeKind | "namespace" | "version";
  note?: string; // beside the numbers: the version that a release brings in, how many services a namespace has
  context?: boolean; // it is there for the sake of another
  of?: string; // the dot of which it is a part
}

export interface Line extends Omit<Way, "from" | "to"> {
  id: string;
  from: string;
  to: string;
}

export interface Choice {
  focus: string; // namespace/name
  namespace: string;
  show: string; // attention, services or namespaces; "": as it fits
  search: string;
  idle: boolean;
}

export interface Picture {
  key: string; // of its layout: what has the same key stays where it is
  shows: "attention" | "services" | "namespaces" | "focus" | "namespace" | "search";
  dots: Dot[];
  lines: Line[]; // that are seen
  ties: [from: string, to: string][]; // all of them, for the layout
  cut: number; // dots that found no room
}

export const idOf = (n: { namespace: string; name: string }) => `${n.namespace}/${n.name}`;
export const pageOf = (d: Dot) => (d.kind === "service" || (d.kind === "outside" && d.namespace) ? `services/${d.id}` : undefined);

const few = 24; // services that are all shown, whatever needs attention
const some = 150; // that are all shown if nothing does
const mostCentres = 60; // of an excerpt
const mostAround = 24; // of each of them, in each direction
export const ranks: Record<State, number> = { bad: 0, warn: 1, changing: 2, ok: 3, idle: 4 };
const worse = (a: State, b: State) => (ranks[a] <= ranks[b] ? a : b);

// A mesh is a topology by ids.
interface Mesh {
  nodes: Map<string, Node>;
  ways: (Way & { a: string; b: string })[];
  seen: Set<string>; // that have calls, or are services
}

function meshOf(t: Topology, idle: boolean): Mesh {
  const ids = t.nodes.map(idOf);
  const ways = t.ways.map((w) => ({ ...w, a: ids[w.from]!, b: ids[w.to]! }));
  const seen = new Set(ids.filter((_, i) => t.nodes[i]!.kind === "service" || idle));
  for (const w of ways) {
    if (w.state === "idle" && !idle) continue;
    seen.add(w.a).add(w.b);
  }
  return { nodes: new Map(t.nodes.map((n, i) => [ids[i]!, n])), ways, seen };
}

export function picture(t: Topology, c: Choice): Picture {
  const mesh = meshOf(t, c.idle);
  const words = parse(c.search);
  for (const [id, node] of mesh.nodes) {
    if (words.hide.some((hidden) => hidden(id, node, mesh))) mesh.seen.delete(id);
  }
  const shown = [...mesh.seen];
  const is = (id: string) => mesh.nodes.get(id)!;
  if (words.find.length > 0) {
    const found = shown.filter((id) => words.find.every((finds) => finds(id, is(id), mesh)));
    return excerpt(mesh, "search", "search " + c.search, found, found.length <= few, c.idle);
  }
  if (c.focus) return excerpt(mesh, "focus", "focus " + c.focus, shown.filter((id) => id === c.focus), true, c.idle);
  if (c.namespace) return excerpt(mesh, "namespace", "namespace " + c.namespace, shown.filter((id) => is(id).namespace === c.namespace), true, c.idle, Infinity);
  const troubled = shown.filter((id) => ranks[is(id).state] <= ranks.changing);
  const show = c.show || (shown.length <= few ? "services" : troubled.length > 0 ? "attention" : shown.length <= some ? "services" : "namespaces");
  if (show === "attention") return excerpt(mesh, "attention", show, troubled, true, c.idle);
  if (show === "namespaces") return namespaces(mesh, c.idle);
  return excerpt(mesh, "services", "services", shown, false, c.idle, Infinity);
}

// excerpt is some dots, what is between them, and what is around them if that is wanted.
function excerpt(mesh: Mesh, shows: Picture["shows"], key: string, centres: string[], around: boolean, idle: boolean, most = mostCentres): Picture {
  const core = new Set(centres.slice(0, most));
  const near = new Set(core);
  const room = new Map<string, number>();
  const fits = (key: string) => {
    room.set(key, (room.get(key) ?? 0) + 1);
    return room.get(key)! <= mostAround || core.size === 1;
  };
  let cut = centres.length - core.size;
  if (around) {
    for (const w of mesh.ways) {
      if (core.has(w.a) === core.has(w.b) || !mesh.seen.has(w.a) || !mesh.seen.has(w.b) || (w.state === "idle" && !idle)) continue;
      const [own, other] = core.has(w.a) ? [w.a + ">", w.b] : [">" + w.b, w.a];
      if (near.has(other)) continue;
      if (fits(own)) near.add(other);
      else cut++;
    }
  }
  const ways = mesh.ways.filter((w) => near.has(w.a) && near.has(w.b) && (!around || core.has(w.a) || core.has(w.b)));
  return {
    key,
    shows,
    dots: [...near].map((id) => dotOf(id, mesh.nodes.get(id)!, !core.has(id))),
    lines: ways.filter((w) => idle || w.state !== "idle").map(lineOf),
    ties: ways.map((w) => [w.a, w.b]),
    cut,
  };
}

function dotOf(id: string, n: Node, context: boolean): Dot {
  const { namespace, kind, state, why, rate, failing, fallbacks, p99 } = n;
  return { id, label: n.name || "not named", namespace, kind, state, why, rate, failing, fallbacks, p99, context, note: n.releasing && "→ " + n.releasing };
}

const lineOf = (w: Way & { a: string; b: string }): Line => ({ id: `${w.a}>${w.b}`, from: w.a, to: w.b, rate: w.rate, failing: w.failing, fallbacks: w.fallbacks, p99: w.p99, state: w.state, plain: w.plain });

// namespaces are one dot each, and the calls between them.
function namespaces(mesh: Mesh, idle: boolean): Picture {
  const dots = new Map<string, Dot>();
  const services = new Map<string, number>();
  const failing = new Map<string, number>();
  for (const id of mesh.seen) {
    const n = mesh.nodes.get(id)!;
    const at = n.namespace + "/";
    const dot = dots.get(at) ?? { id: at, label: n.namespace || "outside", namespace: n.namespace, kind: "namespace", state: "idle", rate: 0, failing: 0, p99: 0 };
    dot.state = worse(dot.state, n.state);
    dot.failing += n.rate * n.failing;
    dot.rate += n.rate;
    dots.set(at, dot);
    services.set(at, (services.get(at) ?? 0) + 1);
    if (n.state === "bad") failing.set(at, (failing.get(at) ?? 0) + 1);
  }
  for (const [at, dot] of dots) {
    dot.failing = dot.rate > 0 ? dot.failing / dot.rate : 0;
    const bad = failing.get(at);
    dot.note = bad ? `${bad} of ${services.get(at)} fail` : `${services.get(at)} services`;
  }
  const lines = new Map<string, Line>();
  for (const w of mesh.ways) {
    const [from, to] = [mesh.nodes.get(w.a)!.namespace + "/", mesh.nodes.get(w.b)!.namespace + "/"];
    if (from === to || !dots.has(from) || !dots.has(to)) continue;
    const id = `${from}>${to}`;
    const line = lines.get(id) ?? { id, from, to, rate: 0, failing: 0, p99: 0, state: "idle", plain: false };
    const rate = line.rate + w.rate;
    line.failing = rate > 0 ? (line.failing * line.rate + w.failing * w.rate) / rate : 0;
    line.rate = rate;
    line.p99 = Math.max(line.p99, w.p99);
    line.state = worse(line.state, w.state);
    line.plain ||= w.plain;
    lines.set(id, line);
  }
  const all = [...lines.values()];
  return { key: "namespaces", shows: "namespaces", dots: [...dots.values()], lines: all.filter((l) => idle || l.state !== "idle"), ties: all.map((l) => [l.from, l.to]), cut: 0 };
}

type Finds = (id: string, n: Node, mesh: Mesh) => boolean;

const terms: Record<string, Finds> = {
  errors: (_, n) => n.state === "bad" || n.state === "warn",
  release: (_, n) => n.releasing !== undefined,
  outside: (_, n) => n.kind === "outside",
  plain: (id, _, mesh) => mesh.ways.some((w) => w.plain && (w.a === id || w.b === id)),
};

// A search is words that all must hold; what a word with - before it finds is hidden.
function parse(search: string): { find: Finds[]; hide: Finds[] } {
  const find: Finds[] = [];
  const hide: Finds[] = [];
  for (const word of search.toLowerCase().split(/\s+/).filter(Boolean)) {
    const text = word.replace(/^-/, "");
    if (text) (text === word ? find : hide).push(finder(text));
  }
  return { find, hide };
}

function finder(word: string): Finds {
  if (word.startsWith("ns:")) return (_, n) => n.namespace === word.slice("ns:".length);
  return terms[word] ?? ((id) => id.toLowerCase().includes(word));
}

// byVersion takes the service in focus apart: what was sent to a version by name leads to it.
export function byVersion(p: Picture, service: ServicePage): Picture {
  const id = idOf(service);
  const versions = service.versions.filter((v) => v.version);
  const whole = p.dots.find((d) => d.id === id);
  if (!whole || versions.length < 2) return p;
  const dots = new Map([...p.dots, ...versions.map((v) => versionOf(whole, v))].map((d) => [d.id, d]));
  const lines = new Map<string, Line>();
  const tie = (from: string, to: string, e: Edge) => {
    const a = dots.get(from);
    const b = dots.get(to);
    if (!a || !b) return;
    const before = p.lines.find((l) => l.from === (a.of ?? from) && l.to === (b.of ?? to));
    const line = lines.get(`${from}>${to}`) ?? { id: `${from}>${to}`, from, to, rate: 0, failing: 0, p99: 0, state: "idle", plain: before?.plain ?? false };
    add(line, e);
    if (b.of) add(b, e);
    lines.set(line.id, line);
  };
  const part = (end: End) => (dots.has(`${id}#${end.version}`) ? `${id}#${end.version}` : id);
  for (const e of service.callers) tie(endOf(p, e.source), part(e.destination), e);
  for (const e of service.callees) tie(part(e.source), endOf(p, e.destination), e);
  const all = [...lines.values()];
  const ties = all.map((l): [string, string] => [l.from, l.to]);
  if (!all.some((l) => l.from === id || l.to === id)) dots.delete(id);
  else for (const v of versions) ties.push([`${id}#${v.version}`, id]); // what names no version stands behind them
  return { ...p, key: `${p.key} by version`, dots: [...dots.values()], lines: all, ties };
}

function versionOf(whole: Dot, v: Version): Dot {
  return {
    id: `${whole.id}#${v.version}`, label: v.version, namespace: whole.namespace, kind: "version", of: whole.id, rate: 0, failing: 0, p99: v.calls.p99,
    state: v.healthy < v.instances ? (v.healthy === 0 ? "bad" : "warn") : "idle",
    note: v.weight === undefined ? `${v.healthy} of ${v.instances}` : `${Math.round(v.weight * 100)}%`,
  };
}

// endOf is the dot of an end: one outside of the mesh is known by its host alone.
function endOf(p: Picture, end: End): string {
  return end.namespace ? `${end.namespace}/${end.app}` : (p.dots.find((d) => d.kind === "outside" && d.label === end.app)?.id ?? "");
}

function add(to: Dot | Line, e: Edge) {
  const hidden = e.requests ? e.fallbacks / e.requests : 0;
  const rate = to.rate + e.rate;
  const mean = (before: number, more: number) => (rate > 0 ? (before * to.rate + more * e.rate) / rate : 0);
  to.failing = mean(to.failing, Math.max(0, 1 - e.success - hidden));
  to.fallbacks = mean(to.fallbacks ?? 0, hidden);
  to.rate = rate;
  to.p99 = Math.max(to.p99, e.p99);
  to.state = worse(to.state, failing(e) ?? "ok");
}
