import { useId, useRef, useState, type ReactNode } from "react";
import type { Done } from "../api";
import { signedIn, write, type Refused } from "../client";
import { go, hrefOf } from "../url";
import { Alert } from "./alert";
import { Command } from "./command";
import { useRefusal } from "./rights";
import { AsYAML, type Written } from "./written";

interface Props<T> {
  name: string; // what it does, in a word
  of: string; // to what
  effect: ReactNode; // what changes
  back: ReactNode; // how that is undone
  command: string; // that does the same
  writes?: Written; // what is written then; none: a command alone does it, or the page shows its text
  path: string; // of the API
  body?: () => object | string | undefined; // a text: what is wrong with what was asked; undefined: what it would do is not known yet
  not?: string; // why it cannot be done now
  children?: ReactNode; // what is asked, and shown, before
  bare?: boolean; // the effect stands in the question alone
  made?: (answer: T) => ReactNode; // what came of it, which is shown until who asked has read it
}

const unsigned = "To act from this page, open it by the link of `weft ui`.";

// Act is a button that says what it would change and how that is undone, and asks again before.
export function Act<T = Done>(props: Props<T>) {
  const { name, of, effect, back, command, writes, path, body = () => ({}), children, bare, made } = props;
  const refusal = useRefusal(path);
  const not = signedIn() ? (props.not ?? refusal) : (props.not ?? unsigned);
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  const [came, setCame] = useState<T>();
  const id = useId();
  const ask = () => {
    setRefused("");
    setCame(undefined);
    setOpen(true);
    dialog.current?.showModal();
  };
  const leave = (done: Done) => {
    dialog.current?.close();
    if (done.page) go(hrefOf(done.page));
  };
  const act = async () => {
    const sent = body();
    if (typeof sent === "string") setRefused(sent);
    if (typeof sent !== "object") return;
    setRefused("");
    setBusy(true);
    try {
      const done = await write<T>(path, sent);
      if (made) setCame(done);
      else leave(done as Done);
    } catch (e) {
      setRefused((e as Refused).message);
    }
    setBusy(false);
  };
  return (
    <div className="act">
      <button type="button" onClick={ask} disabled={!!not} aria-label={bare ? `${name} ${of}` : undefined} title={bare ? not : undefined} aria-describedby={id + "effect"}>
        {name}
      </button>
      <p id={id + "effect"} className={bare ? "hidden" : undefined}>
        {effect} {not && <span className="dim">{not}</span>}
      </p>
      <dialog ref={dialog} aria-labelledby={id + "title"} onClose={() => setOpen(false)}>
        <h2 id={id + "title"}>
          {name} {of}?
        </h2>
        <p>{effect}</p>
        {open && !came && children}
        <p className="dim">{back}</p>
        <Command text={command} />
        {open && writes && <AsYAML of={writes} />}
        {refused && <Alert text={refused} />}
        {came && made?.(came)}
        <p className="answers">
          {!came && (
            <button type="button" className="do" onClick={() => void act()} disabled={busy}>
              {name}
            </button>
          )}
          <button type="button" onClick={() => dialog.current?.close()}>
            {came ? "Close" : "Leave it"}
          </button>
        </p>
      </dialog>
    </div>
  );
}
