import type { PreviewReply, PreviewRequest, ServicePage } from "../api";
import { useState } from "react";
import { Act } from "../part/act";
import { Command } from "../part/command";
import { Section } from "../part/section";
import { Table, type Column } from "../part/table";
import { Start } from "./start";

type Address = ServicePage["addresses"][number];

// Addresses are how a version is reached whatever its share of the traffic is: before anybody else gets it.
export function Addresses({ s }: { s: ServicePage }) {
  if (s.addresses.length < 2) return null;
  const port = s.ports[0]?.split(" ")[0];
  const columns: Column<Address>[] = [
    { head: "Version", cell: (a) => <b>{a.version}</b> },
    { head: "Header", kind: "text", cell: (a) => <Command text={a.header} /> },
    { head: "A call, from inside of the mesh", kind: "text wide", cell: (a) => <Command text={`curl -H '${a.header}' http://${s.host}${port ? ":" + port : ""}/`} /> },
    { head: "From outside", cell: (a) => <Preview s={s} version={a.version} /> },
    { head: "Traffic", cell: (a) => <Start s={s} version={a.version} /> },
  ];
  return (
    <Section title="Private addresses" note="lead to a version whatever its share is; callees get the version, too, where programs pass the header on">
      <Table label="Private addresses" columns={columns} rows={s.addresses} keyOf={(a) => a.version} />
    </Section>
  );
}

// Preview makes a link for people outside, which ends by itself.
function Preview({ s, version }: { s: ServicePage; version: string }) {
  const [lasts, setLasts] = useState("1h");
  const [host, setHost] = useState("");
  const asked = { namespace: s.namespace, application: s.name, version, for: lasts, ...(host && { host }) } satisfies PreviewRequest;
  return (
    <Act<PreviewReply>
      name="Preview"
      of={`${s.name} ${version}`}
      bare
      effect={`Who opens the link is led to ${version} at its host, and nobody else.`}
      back="Nothing takes a preview back before it ends: give it to whom you would give the version."
      command={`weft preview ${s.name} ${version} -n ${s.namespace}${lasts === "1h" ? "" : " --for " + lasts}${host && " --host " + host}`}
      path="previews"
      body={() => asked}
      made={(reply) => <Made reply={reply} />}
    >
      <label className="asked">
        Lasts
        <select value={lasts} onChange={(e) => setLasts(e.target.value)}>
          {["1h", "8h", "24h", "168h"].map((d) => (
            <option key={d} value={d}>
              {d}
            </option>
          ))}
        </select>
      </label>
      <label className="asked">
        Host, if another service is called there first
        <input value={host} maxLength={253} placeholder="shop.example" onChange={(e) => setHost(e.target.value.trim())} />
      </label>
    </Act>
  );
}

function Made({ reply }: { reply: PreviewReply }) {
  return (
    <div className="asked" role="status">
      {reply.links.map((l) => (
        <Command key={l.url} text={l.url} />
      ))}
      <span>or, for programs, the header</span>
      <Command text={reply.header} />
      <span className="dim">It ends at {new Date(reply.ends).toLocaleString()}, and is shown only now.</span>
    </div>
  );
}
