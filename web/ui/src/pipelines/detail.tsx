import { Facts, type Fact } from "../part/facts";
import { Section } from "../part/section";
import { clock } from "../format";
import { Link } from "../url";
import type { Drawn } from "./graph";
import { phaseWord } from "./words";

// Detail is all of one stage: what it is told, and how it stands.
export function Detail({ s }: { s: Drawn }) {
  const outputs = Object.entries(s.outputs ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const facts: Fact[] = [
    ["State", s.phase && phaseWord(s.phase)],
    ["Why", s.why],
    ["Does", s.summary],
    ["After", s.after.join(", ")],
    ["When", s.when && <code>{s.when}</code>],
    ["Attempt", s.attempt],
    ["Started", s.started && clock(new Date(s.started))],
    ["Ended", s.ended && clock(new Date(s.ended))],
    ["Made", s.child && <Link to={s.child}>{s.child.split("/").at(-1)}</Link>],
  ];
  return (
    <Section title={s.title || s.name} note={s.title ? `${s.name}, ${s.kind}` : s.kind}>
      <Facts all={facts} framed>
        {outputs.map(([name, value]) => (
          <div key={"output " + name}>
            <dt>Output</dt>
            <dd>
              <code>{name}</code> {value}
            </dd>
          </div>
        ))}
      </Facts>
    </Section>
  );
}
