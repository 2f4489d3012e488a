import type { Traces } from "../api";
import { useLive } from "../live";
import { Nothing, Section } from "../part/section";
import { Link } from "../url";
import { TraceTable } from "./list";

// Some are the few requests through a service that one looks at first.
export function Some({ service }: { service: string }) {
  const { data } = useLive<Traces>("traces", { service, limit: 5 });
  if (!data) return null;
  return (
    <Section
      title="Traces"
      note={
        <Link to="traces" chosen={{ search: service }}>
          all →
        </Link>
      }
    >
      {data.traces.length ? <TraceTable traces={data.traces} label={"Requests through " + service + ", those that failed first, then the longest"} /> : <Nothing>No request through it has been told of.</Nothing>}
    </Section>
  );
}
