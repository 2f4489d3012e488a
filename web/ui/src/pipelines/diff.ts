// Which lines of a text are others in a second one, with some around them.

export interface Line {
  sign: "+" | "-" | " " | "…";
  text: string;
}

const around = 2; // lines that stay, on each side of what changes

export function changed(was: string, is: string): Line[] {
  if (was === is) return [];
  const a = was.split("\n");
  const b = is.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const middle = compared(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const same = (texts: string[]): Line[] => texts.map((text) => ({ sign: " ", text }));
  return folded([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))]);
}

// compared has as many lines as can stay.
function compared(a: string[], b: string[]): Line[] {
  const stays = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) stays[i]![j] = a[i] === b[j] ? stays[i + 1]![j + 1]! + 1 : Math.max(stays[i + 1]![j]!, stays[i]![j + 1]!);
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: " ", text: a[i++]! });
      j++;
    } else if (i < a.length && (j === b.length || stays[i + 1]![j]! >= stays[i]![j + 1]!)) lines.push({ sign: "-", text: a[i++]! });
    else lines.push({ sign: "+", text: b[j++]! });
  }
  return lines;
}

function folded(all: Line[]): Line[] {
  const near = (i: number) => all.slice(Math.max(0, i - around), i + around + 1).some((l) => l.sign !== " ");
  const lines: Line[] = [];
  all.forEach((l, i) => {
    if (near(i)) lines.push(l);
    else if (lines.at(-1)?.sign !== "…" && i < all.length - 1) lines.push({ sign: "…", text: "" });
  });
  return lines;
}
