import { useEffect, useId, useState, type FormEvent } from "react";
import type { Services } from "../api";
import { read } from "../client";
import { go, hrefOf } from "../url";

export interface Question {
  from: string;
  method: string;
  host: string;
  path: string;
  headers: string; // NAME: VALUE, one a line
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function Ask({ question: q }: { question: Question }) {
  const id = useId();
  const [typed, setTyped] = useState("");
  const known = useKnown(typed);
  const ask = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const asked = [...new FormData(e.currentTarget)].map(([name, value]) => [name, String(value).trim()]);
    go(hrefOf("explain", Object.fromEntries(asked.filter(([, value]) => value))));
  };
  const name = (text: string) => setTyped(text.split(/[/.:]/).findLast(Boolean) ?? "");
  return (
    <form className="ask" onSubmit={ask}>
      <label>
        From
        <input name="from" required defaultValue={q.from} list={id + "from"} placeholder="shop/frontend" onChange={(e) => name(e.target.value)} />
      </label>
      <label>
        Method
        <select name="method" defaultValue={q.method}>
          {[...new Set([...methods, q.method])].map((m) => (
            <option key={m}>{m}</option>
          ))}
        </select>
      </label>
      <label className="host">
        Host
        <input name="host" required defaultValue={q.host} list={id + "host"} placeholder="reviews:9080" onChange={(e) => setTyped(e.target.value.split(/[.:]/)[0] ?? "")} />
      </label>
      <label className="path">
        Path
        <input name="path" defaultValue={q.path} />
      </label>
      <label className="headers">
        Headers
        <textarea name="headers" rows={Math.max(1, q.headers.split("\n").length)} defaultValue={q.headers} placeholder="end-user: beta" />
      </label>
      <button className="do">Explain</button>
      <datalist id={id + "from"}>
        {known.map((s) => !s.external && <option key={s.host} value={`${s.namespace}/${s.name}`} />)}
      </datalist>
      <datalist id={id + "host"}>
        {known.map((s) => (
          <option key={s.host} value={s.host} />
        ))}
      </datalist>
    </form>
  );
}

// useKnown are the services that have what was typed in their names.
function useKnown(search: string) {
  const [known, setKnown] = useState<Services["services"]>([]);
  useEffect(() => {
    let newest = true;
    read<Services>("services", { search, limit: 20 }).then(
      (found) => newest && setKnown(found.services),
      () => {}, // they are suggestions: the answer will say what is wrong
    );
    return () => {
      newest = false;
    };
  }, [search]);
  return known;
}
