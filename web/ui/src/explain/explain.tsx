import type { ExplainTrace } from "../api";
import { useLive } from "../live";
import { Command } from "../part/command";
import { Shown } from "../part/table";
import { usePlace } from "../url";
import { Ask, type Question } from "./ask";
import "./explain.css";
import { Way } from "./way";

// Explain says where a request would go, and which line decided it. What is asked is in the URL; nothing is sent.
export function Explain() {
  const { query } = usePlace();
  const named = (name: string) => query.get(name) ?? "";
  const question: Question = { from: named("from"), method: named("method") || "GET", host: named("host"), path: named("path") || "/", headers: named("headers") };
  return (
    <>
      <Ask key={query.toString()} question={question} />
      {question.from && question.host ? (
        <Answer question={question} />
      ) : (
        <div className="empty">
          <p>Say who calls, and what: you see each decision on the request's way, and the line that made it. Nothing is sent.</p>
          <Command text="weft explain FROM GET http://HOST/PATH" />
        </div>
      )}
    </>
  );
}

function Answer({ question: q }: { question: Question }) {
  const url = (q.host.includes("://") ? q.host : "http://" + q.host) + (q.path.startsWith("/") ? q.path : "/" + q.path);
  const header = q.headers
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const answer = useLive<ExplainTrace>("explain", { proxy: q.from, method: q.method, url, header });
  const stale = answer.data && answer.refused && answer.refused.status !== 0 ? { refused: answer.refused } : answer;
  const words = ["weft explain", quoted(q.from), q.method, quoted(url), ...header.map((h) => "-H " + quoted(h))];
  return (
    <>
      <Shown answer={stale}>{(trace) => <Way trace={trace} />}</Shown>
      <p className="same">
        <Command text={words.join(" ")} />
      </p>
    </>
  );
}

// quoted is one word of a shell, whatever is in it.
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replaceAll("'", `'\\''`) + "'");
