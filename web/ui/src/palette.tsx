import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import type { Pipelines, Releases, Services } from "./api";
import { read } from "./client";
import { places } from "./places";
import { pipelinePage } from "./pipelines/words";
import { phaseText, releasePage } from "./releases/table";
import { go, hrefOf } from "./url";

interface Goal {
  page: string;
  name: string;
  what: string;
}

const most = 6; // of services, of releases, and of pipelines

// Palette leads to any page, service, release or pipeline by some letters of its name: Ctrl-K, or Cmd-K.
export function Palette() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const show = () => {
    setOpen(true);
    if (!dialog.current?.open) dialog.current?.showModal();
  };
  useEffect(() => {
    const key = (e: globalThis.KeyboardEvent) => {
      if (e.key.toLowerCase() !== "k" || !(e.ctrlKey || e.metaKey) || document.querySelector("dialog[open]")) return;
      e.preventDefault();
      show();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  return (
    <>
      <button type="button" className="palette-key" onClick={show}>
        Go to <kbd>Ctrl K</kbd>
      </button>
      <dialog ref={dialog} className="palette" aria-label="Go to" onClose={() => setOpen(false)}>
        {open && <Goals onDone={() => dialog.current?.close()} />}
      </dialog>
    </>
  );
}

function Goals({ onDone }: { onDone: () => void }) {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const { goals, busy } = useGoals(search);
  const id = useId();
  const here = Math.min(at, goals.length - 1);
  const choose = (goal?: Goal) => {
    if (!goal) return;
    onDone();
    go(hrefOf(goal.page));
  };
  const key = (e: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step) setAt((here + step + goals.length) % Math.max(1, goals.length));
    else if (e.key === "Enter") choose(goals[here]);
    else return;
    e.preventDefault();
  };
  return (
    <>
      <input
        autoFocus
        role="combobox"
        aria-label="Page, service, release or pipeline"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={goals[here] && id + here}
        placeholder="Page, service, release or pipeline"
        value={search}
        onKeyDown={key}
        onChange={(e) => {
          setSearch(e.target.value);
          setAt(0);
        }}
      />
      <ul id={id} role="listbox" aria-label="What there is" aria-busy={busy}>
        {goals.map((goal, i) => (
          <li key={goal.page} id={id + i} role="option" aria-selected={i === here} onClick={() => choose(goal)}>
            <b>{goal.name}</b> <span className="of">{goal.what}</span>
          </li>
        ))}
      </ul>
      {goals.length === 0 && !busy && <p className="dim">Nothing has that in its name.</p>}
    </>
  );
}

// useGoals are pages at once, and what the server finds when it has: the last search's stays till then.
function useGoals(search: string): { goals: Goal[]; busy: boolean } {
  const [found, setFound] = useState<{ of?: string; goals: Goal[] }>({ goals: [] });
  useEffect(() => {
    let newest = true;
    const query = { search, limit: most };
    const services = read<Services>("services", query).then((all) => all.services.map((s) => ({ page: `services/${s.namespace}/${s.name}`, name: s.name, what: `service in ${s.namespace}` })));
    const releases = read<Releases>("releases", query).then((all) => all.releases.map((r) => ({ page: releasePage(r), name: `${r.application} ${r.version}`, what: `release, ${phaseText(r)}` })));
    const pipelines = read<Pipelines>("pipelines", query).then((all) => all.pipelines.map((p) => ({ page: pipelinePage(p), name: p.name, what: `pipeline in ${p.namespace}` })));
    void Promise.allSettled([services, releases, pipelines]).then((answers) => {
      if (newest) setFound({ of: search, goals: answers.flatMap((a) => (a.status === "fulfilled" ? a.value : [])) });
    });
    return () => {
      newest = false;
    };
  }, [search]);
  const pages = places.filter((p) => p.list && p.title.toLowerCase().includes(search.trim().toLowerCase()));
  return { goals: [...pages.map((p) => ({ page: p.name, name: p.title, what: "page" })), ...found.goals], busy: found.of !== search };
}
