import { useState } from "react";
import type { Settings as Answer } from "../api";
import { session } from "../client";
import { useLive } from "../live";
import { Command } from "../part/command";
import { Facts } from "../part/facts";
import { Nothing, Section } from "../part/section";
import { Shown, Table, type Column } from "../part/table";
import { SignOut } from "../session";
import { theme, themes, wear, type Theme } from "../theme";

type Budget = Answer["budgets"][number];
type Role = Answer["roles"][number];

const pace = 10_000; // ms: budgets fill slowly

export default function Settings() {
  return <Shown answer={useLive<Answer>("settings", {}, pace)}>{(s) => <All s={s} />}</Shown>;
}

function All({ s }: { s: Answer }) {
  return (
    <>
      <Section title="Who you are">
        <Facts
          framed
          all={[
            ["Name", s.name || "The server is not told: it asks who is on its machine, or the cluster knows."],
            ["Groups", s.groups.join(", ") || "none"],
            ["You may", mayText(s)],
            ["Signed in", session.until && `until ${new Date(session.until).toLocaleString()}`],
          ]}
        />
        {session.name && (
          <p className="answers choice">
            <SignOut />
          </p>
        )}
      </Section>
      {s.roles.length > 0 && (
        <Section title="In applications with roles" note="in others everybody may">
          <Table label="Roles" columns={roles} rows={s.roles} keyOf={(r) => r.namespace + "/" + r.application} />
        </Section>
      )}
      <Section title="Looks">
        <Looks />
      </Section>
      <Section title="What the server keeps" note="and how much of its budget that is">
        {s.budgets.length ? <Table label="Budgets" columns={budgets} rows={s.budgets} keyOf={(b) => b.name} /> : <Nothing>Nothing with a budget.</Nothing>}
      </Section>
      <Section title="Server">
        <Facts
          framed
          all={[
            ["Version", s.version],
            ["Time zone", `${Intl.DateTimeFormat().resolvedOptions().timeZone}: times are those of this browser`],
          ]}
        />
        <p className="choice dim">
          Guides are in docs/guides: ui, metrics, traces, pipelines, strategies, applications. The same on the command line:
        </p>
        <Command text="weft status" />
      </Section>
    </>
  );
}

function mayText(s: Answer) {
  if (s.administrator) return "do everything";
  if (!s.name) return undefined;
  return "read what the mesh is made of but its secrets, start pipelines and releases, decide in them, undo and freeze, where roles let you";
}

const roles: Column<Role>[] = [
  { head: "Application", kind: "name", cell: (r) => <b>{r.application}</b> },
  { head: "Namespace", kind: "wide", cell: (r) => r.namespace },
  { head: "You may", kind: "text", cell: (r) => r.may.join(", ") || "nothing" },
  { head: "You may not", kind: "text", cell: (r) => <span className="dim">{r.mayNot.join(", ") || "–"}</span> },
];

const budgets: Column<Budget>[] = [
  { head: "What", kind: "text", cell: (b) => <b>{b.name}</b> },
  { head: "Full", kind: "num", cell: (b) => <span className={b.used >= b.most ? "warn" : undefined}>{Math.round((100 * b.used) / b.most)}%</span> },
  {
    head: "Used",
    kind: "num",
    cell: (b) => (
      <>
        {amount(b, b.used)} <span className="of">of {amount(b, b.most)}</span>
      </>
    ),
  },
  { head: "Set by", kind: "wide", cell: (b) => <code>{b.flag}</code> },
  { head: "If it is full", kind: "text wide", cell: (b) => <span className="dim">{b.full}</span> },
];

const amount = (b: Budget, n: number) => (b.bytes ? `${(n / 2 ** 20).toFixed(n < 10 * 2 ** 20 ? 1 : 0)} MB` : n.toLocaleString());

function Looks() {
  const [chosen, setChosen] = useState(theme);
  const choose = (t: Theme) => {
    wear(t);
    setChosen(t);
  };
  return (
    <fieldset className="adding">
      <legend>Light or dark</legend>
      {themes.map((t) => (
        <label key={t}>
          <input type="radio" name="theme" checked={chosen === t} onChange={() => choose(t)} /> {t === "system" ? "as the system" : t}
        </label>
      ))}
    </fieldset>
  );
}
