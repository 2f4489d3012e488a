import type { ReleasePage } from "../api";
import { clock, lasted } from "../format";
import { useLive } from "../live";
import { Facts, type Fact } from "../part/facts";
import { Mark } from "../part/mark";
import { Section } from "../part/section";
import { Shown } from "../part/table";
import { phaseText } from "../releases/table";
import { VersionTable } from "../service/versions";
import { Link } from "../url";
import { Choices } from "./choices";
import { Course } from "./course";
import { EvidenceView } from "./evidence";
import { Track } from "./track";

export function Release({ namespace, name }: { namespace: string; name: string }) {
  const answer = useLive<ReleasePage>(`releases/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`);
  return <Shown answer={answer}>{(r) => <One r={r} />}</Shown>;
}

function One({ r }: { r: ReleasePage }) {
  return (
    <>
      <p className={"verdict " + r.state}>
        <Mark state={r.state} />
        <span>
          {r.application} {r.version} {phaseText(r)}
        </span>
        {r.service && (
          <Link to="dashboards" chosen={{ board: "releases", namespace: r.namespace, service: r.service }}>
            its versions over time →
          </Link>
        )}
      </p>
      <p className="because">{r.why}</p>
      <Track r={r} />
      <div className="beside">
        <div>
          <Course r={r} />
          {r.evidence && (
            <Section title="Evidence" note="the versions' own requests, callers compared one by one">
              <EvidenceView e={r.evidence} version={r.version} from={r.from ?? ""} />
            </Section>
          )}
          {r.versions.length > 0 && (
            <Section title="Now" note="the last 10 s">
              <VersionTable versions={r.versions} />
            </Section>
          )}
          <Section title="What happened" note="the newest first">
            <ol className="events">
              {r.events.map((e) => (
                <li key={e.time + e.text}>
                  <time dateTime={e.time} title={new Date(e.time).toLocaleString()}>
                    {clock(new Date(e.time))}
                  </time>
                  <span>{e.text}</span>
                </li>
              ))}
            </ol>
          </Section>
        </div>
        <aside>
          <Who r={r} />
          <Choices r={r} />
        </aside>
      </div>
    </>
  );
}

function Who({ r }: { r: ReleasePage }) {
  const facts: Fact[] = [
    ["Service", r.service && <Link to={`services/${r.namespace}/${r.service}`}>{r.service}</Link>],
    ["Version", r.from ? `${r.version}, after ${r.from}` : r.version],
    ["Strategy", r.strategy],
    ["By", r.by],
    ["Reason", r.reason],
    ["Started", new Date(r.started).toLocaleString()],
    [r.ended ? "Took" : "Runs for", lasted(new Date(r.started), r.ended ? new Date(r.ended) : new Date())],
    ["Aborted by", r.aborter],
    ["Promoted by", r.promoter],
  ];
  return (
    <Section title="Who and what">
      <Facts all={facts} />
    </Section>
  );
}
