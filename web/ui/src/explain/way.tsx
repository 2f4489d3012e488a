import type { ReactNode } from "react";
import type { ExplainAnswer, ExplainEndpoint, ExplainTarget, ExplainTrace, State } from "../api";
import { count } from "../format";
import { Mark } from "../part/mark";

// Way is what the request meets, from top to bottom, each with what caused it.
export function Way({ trace: t }: { trace: ExplainTrace }) {
  const [state, said] = outcome(t);
  const targets = t.targets ?? [];
  return (
    <>
      <p className={"verdict " + state}>
        <Mark state={state} />
        <span>{said}</span>
      </p>
      <ol className="way" aria-label="The request's way">
        <Step what="Proxy" name={t.proxy} text={t.identity && "known to others as " + t.identity} />
        <Step what="Listener" {...t.listener} />
        {t.host.name && <Step what="Host" {...t.host} />}
        {t.route.name && (
          <Step what="Route" {...t.route}>
            <Misses trace={t} />
          </Step>
        )}
        {!t.route.name && t.misses && (
          <Step what="Route" text="none matches">
            <Misses trace={t} />
          </Step>
        )}
        {t.policies?.map((p) => <Step key={p.name} what={p.name ?? ""} text={p.text} from={p.from} />)}
        {t.answers?.map((a) => (
          <Step key={a.status + a.text} what="Answer" kind={a.status >= 400 ? "bad" : ""} name={percent(a.percent)} text={`${a.status}, by the proxy itself: ${a.text}`} from={a.from} />
        ))}
        {targets.map((target) => (
          <Step key={target.name} what="Cluster" name={target.name} text={`${percent(target.percent)}, ${target.text ?? ""}`} from={target.from}>
            {target.breaker && <p className="dim">breaker: {target.breaker}</p>}
            {target.fallback && <p className="dim">fallback: {target.fallback}</p>}
            <Endpoints endpoints={target.endpoints ?? []} />
          </Step>
        ))}
      </ol>
    </>
  );
}

interface StepProps {
  what: string;
  name?: string;
  text?: string;
  from?: string[];
  kind?: string;
  children?: ReactNode;
}

function Step({ what, name, text, from = [], kind = "", children }: StepProps) {
  return (
    <li className={kind}>
      <h2>{what}</h2>
      <div>
        <p>
          {name && <b>{name}</b>} <span className={name ? "dim" : ""}>{text}</span>
        </p>
        <Because from={from} />
        {children}
      </div>
    </li>
  );
}

function Because({ from = [] }: { from?: string[] }) {
  if (from.length === 0) return null;
  return (
    <p className="why dim">
      because of <code>{from.join(", ")}</code>
    </p>
  );
}

function Misses({ trace: t }: { trace: ExplainTrace }) {
  const misses = t.misses ?? [];
  if (misses.length === 0) return null;
  const all = misses.length + (t.moreMisses ?? 0);
  return (
    <details open={misses.length <= 8}>
      <summary>{count(all, "other route")} of this host, and why not</summary>
      <ul>
        {misses.map((m) => (
          <li key={m.name}>
            <b>{m.name}</b> <span className="dim">{m.text}</span>
            <p>{m.why}</p>
            <Because from={m.from} />
          </li>
        ))}
        {misses.length < all && <li className="dim">and {all - misses.length} more</li>}
      </ul>
    </details>
  );
}

const shownEndpoints = 20;

function Endpoints({ endpoints }: { endpoints: ExplainEndpoint[] }) {
  if (endpoints.length === 0) return <p className="bad">No instance: answered with 503.</p>;
  return (
    <ul>
      {endpoints.slice(0, shownEndpoints).map((e) => (
        <li key={e.address} className="endpoint">
          <Mark state={e.guard && !e.guard.allowed ? "bad" : e.health === "healthy" ? "ok" : "warn"} />
          <div>
            <b>{e.workload ?? e.address}</b> <span className="dim">{[e.version, e.workload && e.address, e.health, e.place].filter(Boolean).join(", ")}</span>
            {e.guard && <p className={e.guard.allowed ? "" : "bad"}>{e.guard.text}</p>}
            {e.guard?.limits?.map((limit) => (
              <p key={limit.text}>limit {limit.text}</p>
            ))}
            {e.guard?.dryRun?.map((policy) => (
              <p key={policy} className="warn">
                would be refused by {policy}, which is on trial
              </p>
            ))}
            <Because from={e.guard?.from} />
          </div>
        </li>
      ))}
      {endpoints.length > shownEndpoints && <li className="dim">and {endpoints.length - shownEndpoints} more</li>}
    </ul>
  );
}

const percent = (of100: number) => `${Number(of100.toFixed(2))}%`;

// outcome is the end of the way in one sentence.
function outcome(t: ExplainTrace): [State, string] {
  const answers: ExplainAnswer[] = t.answers ?? [];
  const targets: ExplainTarget[] = t.targets ?? [];
  const parts = [
    ...targets.map((x) => [percent(x.percent), x.name]),
    ...answers.map((a) => [percent(a.percent), `an answer ${a.status}`]),
  ].map(([share, to]) => (targets.length + answers.length > 1 ? `${share} to ${to}` : to));
  if (targets.length === 0) {
    const [first] = answers;
    if (!first) return ["warn", "Nothing answers it."];
    return [first.status >= 400 ? "bad" : "ok", `The proxy answers it itself with ${first.status}: ${first.text}`];
  }
  const dead = targets.find((x) => !x.endpoints?.length);
  if (dead) return ["bad", `${dead.name} has no instance: ${percent(dead.percent)} of such requests are answered with 503.`];
  const closed = targets.find((x) => x.endpoints?.every((e) => e.guard && !e.guard.allowed));
  if (closed) return ["bad", `${closed.name} does not let it in: ${closed.endpoints![0]!.guard!.text}.`];
  return ["ok", `It goes to ${parts.join(", ")}.`];
}
