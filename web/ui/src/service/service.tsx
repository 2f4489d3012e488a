import type { ServicePage } from "../api";
import { millis, rate, share, type Measure } from "../format";
import { useLive } from "../live";
import { Mark } from "../part/mark";
import { Num } from "../part/number";
import { Nothing, Section } from "../part/section";
import { Shown } from "../part/table";
import { Link } from "../url";
import { useWindow } from "../window";
import { ReleaseTable } from "../releases/table";
import { Some } from "../traces/some";
import { Addresses } from "./addresses";
import { Edges } from "./edges";
import { Instances } from "./instances";
import { Routes } from "./routes";
import { VersionTable } from "./versions";

export function Service({ namespace, name }: { namespace: string; name: string }) {
  const answer = useLive<ServicePage>(`services/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`, { window: useWindow() });
  return <Shown answer={answer}>{(s) => <One s={s} />}</Shown>;
}

function One({ s }: { s: ServicePage }) {
  return (
    <>
      <p className={"verdict " + s.state}>
        <Mark state={s.state} />
        <span>{s.why || (s.state === "idle" ? "Nobody has called it during this time." : "All is well.")}</span>
        {s.release && <Link to={`releases/${s.release.namespace}/${s.release.name}`}>the release of {s.release.version} →</Link>}
        <Link to="map" chosen={{ focus: `${s.namespace}/${s.name}` }}>
          on the map →
        </Link>
        {!s.external && (
          <>
            <Link to="dashboards" chosen={{ board: "service", namespace: s.namespace, service: s.name }}>
              its last hour →
            </Link>
            <Link to="dashboards" chosen={{ board: "workload", namespace: s.namespace, app: s.name }}>
              and of its calls →
            </Link>
          </>
        )}
        <Link to="explain" chosen={call(s)}>
          explain a call to it →
        </Link>
      </p>
      <Signals s={s} />
      {s.versions.length > 0 && (
        <Section title="Versions">
          <VersionTable versions={s.versions} />
        </Section>
      )}
      <Addresses s={s} />
      <div className="pair">
        <Section title="Callers" note="each row an edge, as the callers' proxies counted">
          {s.callers.length ? <Edges edges={s.callers} end="source" label="Callers" /> : <Nothing>Nobody has called it during this time.</Nothing>}
        </Section>
        <Section title="Callees">
          {s.callees.length ? <Edges edges={s.callees} end="destination" label="Callees" /> : <Nothing>It has called nobody during this time.</Nothing>}
        </Section>
      </div>
      <Section title="Routes" note={s.routes.length > 0 && "the first that matches decides"}>
        {s.routes.length ? <Routes routes={s.routes} /> : <Nothing>No rule is written for it: every request goes to its instances.</Nothing>}
      </Section>
      <Some service={s.external ? s.name : `${s.namespace}/${s.name}`} />
      {s.found.length > 0 && (
        <Section title="Problems" note="with objects of its name">
          <ul className="found">
            {s.found.map((p) => (
              <li key={p.kind + p.path + p.message}>
                <b>
                  <span className="dim">{p.kind}</span> {p.name}
                </b>
                {p.path && <code>{p.path}</code>}
                <p>{p.message}</p>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {s.releases.length > 0 && (
        <Section title="Releases">
          <ReleaseTable releases={s.releases} label={"Releases of " + s.name} />
        </Section>
      )}
      {!s.external && (
        <Section title="Instances" note={s.instances.length < s.known ? `${s.instances.length} of ${s.known}` : s.known}>
          {s.known ? <Instances instances={s.instances} /> : <Nothing>No workload serves it.</Nothing>}
        </Section>
      )}
      <Section title="Known because">
        <ul className="because">
          {s.from.map((o) => (
            <li key={o.object}>
              {o.object} <code className="dim">{o.file ?? o.path}</code>
            </li>
          ))}
          <li className="dim">
            {s.host} {s.ports.length > 0 && "at " + s.ports.join(", ")}
          </li>
        </ul>
      </Section>
    </>
  );
}

// call is one to the service, by who calls it most.
function call(s: ServicePage): Record<string, string> {
  const by = s.callers[0]?.source;
  const port = s.ports[0]?.split(" ")[0];
  return { ...(by && { from: `${by.namespace}/${by.app}` }), host: port ? `${s.host}:${port}` : s.host };
}

function Signals({ s }: { s: ServicePage }) {
  const none = s.calls.requests === 0;
  const wrong = s.state === "bad" || s.state === "warn" ? s.state : "";
  return (
    <dl className="signals">
      <Signal name="Requests" of={rate(s.calls.rate)} none={none} />
      <Signal name="Success" of={share(s.calls.success)} none={none} kind={s.calls.success < 1 ? wrong : ""} />
      {s.calls.fallbacks > 0 && <Signal name="By a fallback" of={share(s.calls.fallbacks)} />}
      <Signal name="p50" of={millis(s.calls.p50)} none={none} />
      <Signal name="p99" of={millis(s.calls.p99)} none={none} />
    </dl>
  );
}

function Signal({ name, of, none, kind }: { name: string; of: Measure; none?: boolean; kind?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={kind}>
        <Num of={of} none={none} />
      </dd>
    </div>
  );
}
