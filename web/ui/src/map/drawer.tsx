import type { ReactNode } from "react";
import type { Edge, ServicePage } from "../api";
import { ago, millis, rate, share } from "../format";
import { useLive } from "../live";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { VersionTable } from "../service/versions";
import { Link } from "../url";
import { useWindow } from "../window";
import { pageOf, type Dot, type Line } from "./picture";

// A drawer says of what was picked how it is, by version, and what changed last.

interface Frame {
  title: ReactNode;
  close: () => void;
  children: ReactNode;
}

function Drawer({ title, close, children }: Frame) {
  return (
    <aside className="drawer" aria-label="What is picked">
      <h2>
        {title}
        <span className="spring" />
        <button type="button" onClick={close} aria-label="Close">
          ×
        </button>
      </h2>
      {children}
    </aside>
  );
}

function Signals({ of, quiet }: { of: Pick<Dot, "rate" | "failing" | "p99" | "state">; quiet: boolean }) {
  return (
    <dl className="signals">
      <div>
        <dt>Requests</dt>
        <dd>
          <Num of={rate(of.rate)} none={quiet} />
        </dd>
      </div>
      <div>
        <dt>Failing</dt>
        <dd className={of.state === "bad" || of.state === "warn" ? of.state : undefined}>
          <Num of={share(of.failing)} none={quiet} />
        </dd>
      </div>
      <div>
        <dt>p99</dt>
        <dd>
          <Num of={millis(of.p99)} none={of.p99 === 0} />
        </dd>
      </div>
    </dl>
  );
}

export function OfDot({ dot, past, enter, close }: { dot: Dot; past: boolean; enter: (d: Dot) => void; close: () => void }) {
  const page = pageOf(dot);
  const title = (
    <>
      <Mark state={dot.state} />
      {dot.label} <span className="of">{dot.namespace}</span>
    </>
  );
  return (
    <Drawer title={title} close={close}>
      {dot.why && <p className={dot.state}>{dot.why}</p>}
      <Signals of={dot} quiet={dot.rate === 0} />
      {page && !past && <Inside page={page} />}
      <p className="actions">
        {page && <Link to={page}>Open its page</Link>}
        <button type="button" onClick={() => enter(dot)}>
          {dot.kind === "namespace" ? "Show its services" : "Show callers and callees"}
        </button>
      </p>
    </Drawer>
  );
}

function Inside({ page }: { page: string }) {
  const { data } = useLive<ServicePage>(page, { window: useWindow() });
  if (!data) return null;
  const failing = [...data.callers, ...data.callees].filter((e) => e.errors > e.fallbacks).slice(0, 5);
  return (
    <>
      {data.versions.length > 0 && <VersionTable versions={data.versions} />}
      {failing.length > 0 && <Failing edges={failing} />}
      <h3>Last changes</h3>
      {data.releases.length === 0 && <p className="dim">No release of it is known.</p>}
      <ul>
        {data.releases.slice(0, 3).map((r) => (
          <li key={r.name}>
            <Mark state={r.state} />
            <Link to={`releases/${r.namespace}/${r.name}`}>
              {r.version} {r.phase.toLowerCase()}
            </Link>
            <span className="of">{ago(new Date(r.ended ?? r.started), new Date())}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Failing({ edges }: { edges: Edge[] }) {
  return (
    <>
      <h3>Calls that fail</h3>
      <ul>
        {edges.map((e) => (
          <li key={JSON.stringify([e.source, e.destination, e.port])}>
            <span>
              {e.source.app} {e.source.version} → {e.destination.app} {e.destination.version}
            </span>
            <b className="bad">{share((e.errors - e.fallbacks) / e.requests).join("")}</b>
          </li>
        ))}
      </ul>
    </>
  );
}

interface OfLineProps {
  line: Line;
  from: Dot;
  to: Dot;
  past: boolean;
  close: () => void;
  pick: (id: string) => void;
}

// whole is a service's name as traces have it.
const whole = (d: Dot) => (d.namespace && d.kind !== "outside" ? `${d.namespace}/${d.label}` : d.label);

export function OfLine({ line, from, to, past, close, pick }: OfLineProps) {
  return (
    <Drawer
      close={close}
      title={
        <>
          <Mark state={line.state} />
          {from.label} → {to.label}
        </>
      }
    >
      <Signals of={line} quiet={line.rate === 0} />
      {!past && <p className="dim">{line.plain ? "In plain text, if only to some of its instances." : "Encrypted."}</p>}
      <p className="actions">
        {![from.kind, to.kind].some((k) => k === "namespace" || k === "version") && (
          <Link to="traces" chosen={{ search: whole(from), calls: whole(to) }}>
            Slow calls behind this
          </Link>
        )}
        <button type="button" onClick={() => pick(from.id)}>
          {from.label}
        </button>
        <button type="button" onClick={() => pick(to.id)}>
          {to.label}
        </button>
      </p>
    </Drawer>
  );
}
