// Where the stages of a pipeline are drawn: each right of those that it comes after, so that lines cross little.

export const high = 60; // of a card
const gap = { x: 40, y: 14 };
const roomy = 5; // columns up to which cards are wide
const lineHigh = 8; // that a line takes in a column that it only passes

export interface Node {
  name: string;
  after: string[];
}

export interface Spot {
  x: number;
  y: number;
}

export interface Line {
  from: string;
  to: string;
  by: Spot[]; // its points, from the right edge of one card to the left edge of the other
}

export interface Layout {
  spots: Map<string, Spot>; // upper left corner of each card
  lines: Line[];
  card: number; // how wide each is
  wide: number;
  high: number;
}

// A cell is a card, or where a line passes between cards.
interface Cell {
  name?: string;
  high: number;
  before: Cell[];
  behind: Cell[];
  y: number;
}

export function layout(nodes: Node[]): Layout {
  const known = new Map(nodes.map((n) => [n.name, n]));
  const depth = depths(nodes, known);
  const columns: Cell[][] = [];
  const cells = new Map<string, Cell>();
  for (const n of nodes) {
    const cell: Cell = { name: n.name, high, before: [], behind: [], y: 0 };
    cells.set(n.name, cell);
    (columns[depth.get(n.name)!] ??= []).push(cell);
  }
  const routes: { from: string; to: string; by: Cell[] }[] = [];
  for (const n of nodes) {
    for (const name of n.after) {
      const first = depth.get(name);
      if (first === undefined || first >= depth.get(n.name)!) continue; // it is not there, or they wait for each other
      const by: Cell[] = [];
      let last = cells.get(name)!;
      for (let d = first + 1; d < depth.get(n.name)!; d++) {
        const pass: Cell = { high: lineHigh, before: [], behind: [], y: 0 };
        columns[d]!.push(pass);
        tie(last, pass);
        by.push(pass);
        last = pass;
      }
      tie(last, cells.get(n.name)!);
      routes.push({ from: name, to: n.name, by });
    }
  }
  untangle(columns);
  const tall = place(columns);
  const card = columns.length > roomy ? 160 : 208;
  const x = (d: number) => d * (card + gap.x);
  const spots = new Map([...cells].map(([name, c]) => [name, { x: x(depth.get(name)!), y: c.y }]));
  const lines = routes.map(({ from, to, by }) => {
    const begin = depth.get(from)!;
    const middle = (c: Cell) => c.y + c.high / 2;
    const points = [{ x: x(begin) + card, y: middle(cells.get(from)!) }];
    by.forEach((c, i) => points.push({ x: x(begin + 1 + i), y: middle(c) }, { x: x(begin + 1 + i) + card, y: middle(c) }));
    points.push({ x: x(depth.get(to)!), y: middle(cells.get(to)!) });
    return { from, to, by: points };
  });
  return { spots, lines, card, wide: x(columns.length) - gap.x, high: tall };
}

function tie(a: Cell, b: Cell) {
  a.behind.push(b);
  b.before.push(a);
}

// depths count the stages of the longest way to each; of those that wait for each other one begins.
function depths(nodes: Node[], known: Map<string, Node>): Map<string, number> {
  const depth = new Map<string, number>();
  const visit = (n: Node, above: Set<string>): number => {
    const found = depth.get(n.name);
    if (found !== undefined) return found;
    above.add(n.name);
    const before = n.after.flatMap((name) => (known.has(name) && !above.has(name) ? [visit(known.get(name)!, above)] : []));
    above.delete(n.name);
    depth.set(n.name, Math.max(-1, ...before) + 1);
    return depth.get(n.name)!;
  };
  nodes.forEach((n) => visit(n, new Set()));
  return depth;
}

// untangle sorts each column by the middle of what its cells are tied to, there and back some times.
function untangle(columns: Cell[][]) {
  const at = new Map<Cell, number>();
  const note = (column: Cell[]) => column.forEach((c, i) => at.set(c, i));
  columns.forEach(note);
  const sort = (column: Cell[], side: "before" | "behind") => {
    const middle = new Map(column.map((c) => [c, c[side].length ? c[side].reduce((sum, o) => sum + at.get(o)!, 0) / c[side].length : at.get(c)!]));
    column.sort((a, b) => middle.get(a)! - middle.get(b)!);
    note(column);
  };
  for (let i = 0; i < 4; i++) {
    columns.forEach((column) => sort(column, "before"));
    columns.toReversed().forEach((column) => sort(column, "behind"));
  }
}

// place stacks each column, near what its cells come after, and says how high it all is.
function place(columns: Cell[][]): number {
  const stacked = (column: Cell[]) => column.reduce((sum, c) => sum + c.high + gap.y, -gap.y);
  const all = Math.max(0, ...columns.map(stacked));
  for (const column of columns) {
    const wish = (c: Cell) => (c.before.length ? c.before.reduce((sum, o) => sum + o.y + o.high / 2, 0) / c.before.length - c.high / 2 : 0);
    const first = column.some((c) => c.before.length) ? undefined : (all - stacked(column)) / 2;
    let y = first ?? 0;
    for (const c of column) {
      c.y = Math.max(y, first === undefined ? wish(c) : 0);
      y = c.y + c.high + gap.y;
    }
    let end = all; // what went beyond goes back
    for (const c of column.toReversed()) {
      c.y = Math.min(c.y, end - c.high);
      end = c.y - gap.y;
    }
  }
  return all;
}
