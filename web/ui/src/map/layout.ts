// Where dots are: callers left of what they call while that can be read, else namespaces beside each other.

export interface Plan {
  ids: string[];
  groups: string[]; // of each of them
  ties: [from: string, to: string][];
  down: boolean; // callers above what they call
  crowded: boolean;
  bubbles: boolean; // namespaces, which take more room than cards
}

export type Places = Map<string, readonly [x: number, y: number]>;

const tallest = 20; // dots in a column
const spread = 22; // between dots of a crowd

interface Steps {
  along: number; // from caller to what it calls
  across: number;
}

const steps = (p: Plan): Steps => ({ along: p.down ? 92 : 236, across: p.down ? 188 : 60, ...(p.bubbles && { along: 190, across: 124 }) });

export function layout(p: Plan): Places {
  return p.crowded ? crowd(p) : layered(p);
}

// layered has each caller left of what it calls, where they do not call each other in a ring.
function layered(p: Plan): Places {
  const out = new Map(p.ids.map((id) => [id, [] as string[]]));
  const into = new Map(p.ids.map((id) => [id, [] as string[]]));
  for (const [a, b] of acyclic(p)) {
    out.get(a)!.push(b);
    into.get(b)!.push(a);
  }
  const layer = new Map<string, number>();
  const depth = (id: string): number => {
    if (!layer.has(id)) layer.set(id, Math.max(0, ...into.get(id)!.map((a) => depth(a) + 1)));
    return layer.get(id)!;
  };
  const tied = p.ids.filter((id) => out.get(id)!.length + into.get(id)!.length > 0);
  tied.forEach(depth);
  // What calls only far to the right stands near it.
  for (const id of tied) {
    if (into.get(id)!.length === 0) layer.set(id, Math.max(0, Math.min(...out.get(id)!.map((b) => layer.get(b)!)) - 1));
  }
  const columns: string[][] = [];
  for (const id of tied) (columns[layer.get(id)!] ??= []).push(id);
  const y = order(columns, out, into, p);
  const places: Places = new Map();
  let x = 0;
  for (const column of columns) x = put(places, column, y, x, p);
  alone(places, p.ids.filter((id) => !layer.has(id)), p);
  return places;
}

// acyclic are the ties without those that close a ring.
function acyclic(p: Plan): [string, string][] {
  const next = new Map<string, string[]>();
  const called = new Set<string>();
  for (const [a, b] of p.ties) {
    if (a === b) continue;
    next.set(a, [...(next.get(a) ?? []), b]);
    called.add(b);
  }
  const kept: [string, string][] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (id: string) => {
    state.set(id, "open");
    for (const b of next.get(id) ?? []) {
      if (state.get(b) === "open") continue;
      kept.push([id, b]);
      if (!state.has(b)) visit(b);
    }
    state.set(id, "done");
  };
  const begin = [...p.ids].sort((a, b) => Number(called.has(a)) - Number(called.has(b)));
  for (const id of begin) if (!state.has(id)) visit(id);
  return kept;
}

type Ties = Map<string, string[]>;

// order puts each dot near those that it is tied to: by their mean, sweep after sweep.
function order(columns: string[][], out: Ties, into: Ties, p: Plan): Map<string, number> {
  const y = new Map<string, number>();
  const settle = (column: string[]) => column.forEach((id, i) => y.set(id, (i - (column.length - 1) / 2) / parts(column, p)));
  columns.forEach(settle);
  const mean = (ids: string[]) => ids.reduce((sum, id) => sum + y.get(id)!, 0) / ids.length;
  for (let sweep = 0; sweep < 12; sweep++) {
    const forth = sweep % 2 === 0;
    for (const column of forth ? columns : columns.toReversed()) {
      const wish = new Map(column.map((id) => [id, mean((forth ? into : out).get(id)!)]));
      const at = (id: string) => (Number.isNaN(wish.get(id)!) ? y.get(id)! : wish.get(id)!);
      column.sort((a, b) => at(a) - at(b));
      settle(column);
    }
  }
  for (let sweep = 0; sweep < 8; sweep++) for (const column of columns) straighten(column, y, 1 / parts(column, p), (id) => mean([...into.get(id)!, ...out.get(id)!]));
  return y;
}

// straighten moves the dots of a column towards where their ties lead, and keeps their order and distance.
function straighten(column: string[], y: Map<string, number>, distance: number, wish: (id: string) => number) {
  const want = column.map(wish);
  let shift = 0;
  let last = -Infinity;
  column.forEach((id, i) => {
    last = Math.max(want[i]!, last + distance);
    y.set(id, last);
    shift += last - want[i]!;
  });
  for (const id of column) y.set(id, y.get(id)! - shift / column.length);
}

// parts are how many columns one that is too long is made of, its dots by turns.
const parts = (column: string[], p: Plan) => Math.ceil(column.length / (p.down ? 4 : p.bubbles ? tallest / 2 : tallest));

// put places a column, and returns where the next begins.
function put(places: Places, column: string[], y: Map<string, number>, x: number, p: Plan): number {
  const { along, across } = steps(p);
  const many = parts(column, p);
  column.forEach((id, i) => {
    const [u, v] = [x + (i % many) * along * 0.85, y.get(id)! * across];
    places.set(id, p.down ? [v, u] : [u, v]);
  });
  return x + (many - 1) * along * 0.85 + along;
}

// alone are those without any tie: in rows below all others.
function alone(places: Places, ids: string[], p: Plan) {
  const { along, across } = steps(p);
  const [right, below] = p.down ? [across, along] : [along, across];
  const all = [...places.values()];
  const left = Math.min(...all.map(([x]) => x), ...(all.length ? [] : [0]));
  const top = all.length ? Math.max(...all.map(([, y]) => y)) + below * 1.5 : 0;
  const perRow = p.down ? 2 : Math.max(4, Math.ceil(Math.sqrt(ids.length * 1.5)));
  ids.forEach((id, i) => places.set(id, [left + (i % perRow) * right, top + Math.floor(i / perRow) * below]));
}

// crowd has each namespace as a disc, the discs as near to each other as they are tied.
function crowd(p: Plan): Places {
  const members = new Map<string, string[]>();
  const groupOf = new Map<string, string>();
  p.ids.forEach((id, i) => {
    const g = p.groups[i]!;
    groupOf.set(id, g);
    members.set(g, [...(members.get(g) ?? []), id]);
  });
  const names = [...members.keys()].sort();
  const radius = names.map((g) => spread * Math.sqrt(members.get(g)!.length) * 0.6 + spread);
  const index = new Map(names.map((g, i) => [g, i]));
  const pull = new Map<number, number>();
  for (const [a, b] of p.ties) {
    const [i, j] = [index.get(groupOf.get(a)!)!, index.get(groupOf.get(b)!)!];
    if (i === undefined || j === undefined || i === j) continue;
    const key = Math.min(i, j) * names.length + Math.max(i, j);
    pull.set(key, (pull.get(key) ?? 0) + 1);
  }
  const centres = discs(radius, pull);
  const places: Places = new Map();
  names.forEach((g, i) => {
    const [cx, cy] = centres[i]!;
    members.get(g)!.forEach((id, k) => places.set(id, seed(cx, cy, k)));
  });
  return places;
}

// seed is where the k-th of a disc is, as seeds in a sunflower: one more is at its edge.
function seed(x: number, y: number, k: number): readonly [number, number] {
  const r = spread * 0.6 * Math.sqrt(k + 0.5);
  const angle = k * 2.39996;
  return [x + r * Math.cos(angle), y + r * Math.sin(angle)];
}

// discs pushes discs apart that overlap, and draws those together that call each other.
function discs(radius: number[], pull: Map<number, number>): [number, number][] {
  const n = radius.length;
  const at = radius.map((r, i): [number, number] => {
    const d = Math.sqrt(i + 0.5) * r * 1.8;
    return [d * Math.cos(i * 2.39996), d * Math.sin(i * 2.39996)];
  });
  const rounds = n > 400 ? 40 : 160;
  for (let round = 0; round < rounds; round++) {
    const heat = 1 - round / rounds;
    for (const [key, weight] of pull) {
      const [i, j] = [Math.floor(key / n), key % n];
      const [dx, dy] = [at[j]![0] - at[i]![0], at[j]![1] - at[i]![1]];
      const f = 0.02 * heat * Math.min(1, weight / 10);
      move(at, i, j, dx * f, dy * f);
    }
    for (let i = 0; i < n; i++) {
      at[i]![0] *= 1 - 0.01 * heat;
      at[i]![1] *= 1 - 0.01 * heat;
      for (let j = i + 1; j < n; j++) {
        const [dx, dy] = [at[j]![0] - at[i]![0], at[j]![1] - at[i]![1]];
        const d = Math.hypot(dx, dy) || 1;
        const lack = radius[i]! + radius[j]! + spread - d;
        if (lack > 0) move(at, i, j, (-dx / d) * lack * 0.5, (-dy / d) * lack * 0.5);
      }
    }
  }
  return at;
}

function move(at: [number, number][], i: number, j: number, dx: number, dy: number) {
  at[i]![0] += dx;
  at[i]![1] += dy;
  at[j]![0] -= dx;
  at[j]![1] -= dy;
}

// grow places what is new beside what is there, which stays: each at the outer edge, near what it is tied to.
export function grow(places: Places, p: Plan): Places {
  const all: Places = new Map(places);
  const { along, across } = p.crowded ? { along: spread, across: spread } : steps(p);
  for (const id of p.ids) {
    if (all.has(id)) continue;
    const caller = p.ties.find(([a, b]) => b === id && all.has(a))?.[0];
    const callee = p.ties.find(([a, b]) => a === id && all.has(b))?.[1];
    const [x, y] = all.get(caller ?? callee ?? "") ?? [0, 0];
    const way = caller ? along : callee ? -along : 0;
    const at: [number, number] = p.down ? [x, y + way] : [x + way, y];
    const taken = [...all.values()];
    while (taken.some(([a, b]) => Math.abs(a - at[0]) < along * 0.75 && Math.abs(b - at[1]) < across * 0.95)) at[p.down ? 0 : 1] += across;
    all.set(id, at);
  }
  return all;
}
