import type { ReleaseRequest, ServicePage } from "../api";
import { useState } from "react";
import { Act } from "../part/act";

const strategies = ["canary", "blueGreen", "rolling", "highlander", "recreate"];

// Start releases a version that runs already.
export function Start({ s, version }: { s: ServicePage; version: string }) {
  const [strategy, setStrategy] = useState("");
  const serves = s.versions.find((v) => v.version === version)?.weight === 1;
  return (
    <Act
      name="Release"
      of={`${s.name} ${version}`}
      bare
      effect={`${version} gets the traffic of ${s.name}, by the strategy. If its own requests show it to be worse, it goes back by itself.`}
      back="To undo that, abort the release on its page, or undo it when it has ended."
      command={`weft release start ${s.name} ${version} -n ${s.namespace}${strategy && " --strategy " + strategy}`}
      writes={{ kind: "Release", namespace: s.namespace, generateName: `${s.name}-${version}-`, spec: { application: s.name, version, strategy: { type: strategy } } }}
      path={`applications/${encodeURIComponent(s.namespace)}/${encodeURIComponent(s.name)}/release`}
      body={() => ({ version, ...(strategy && { strategy }) }) satisfies ReleaseRequest}
      not={serves ? "It has all the traffic." : undefined}
    >
      <label className="asked">
        Strategy, of this release alone
        <select value={strategy} onChange={(e) => setStrategy(e.target.value)}>
          <option value="">as the application says</option>
          {strategies.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
    </Act>
  );
}
