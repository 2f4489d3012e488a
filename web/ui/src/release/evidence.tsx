import type { Answered, Bet, Evidence, Part } from "../api";

const percent = (a: Answered) => (a.requests ? (100 * a.errors) / a.requests : 0);

const points = (of1: number) => (100 * of1).toFixed(Math.abs(of1) < 0.1 ? 2 : 1);

// Evidence against its limits: how each version answered on one scale, and how far either proof has come.
export function EvidenceView({ e, version, from }: { e: Evidence; version: string; from: string }) {
  const most = Math.max(percent(e.old), percent(e.new), percent(e.old) + 100 * e.allowed, 0.1) * 1.15;
  return (
    <div className="evidence">
      <Errors name={version} of={e.new} most={most} limit={from ? percent(e.old) + 100 * e.allowed : undefined} />
      {from && <Errors name={from} of={e.old} most={most} />}
      <p className="dim">
        Estimated: {points(Math.abs(e.increase))} points {e.increase < 0 ? "fewer" : "more"} are answered badly; {points(e.allowed)} more are allowed.
      </p>
      {e.part && <PartView part={e.part} e={e} version={version} from={from} />}
      <Proof name={e.part ? `that ${version} is worse for all together` : `that ${version} is worse`} bet={e.worse} kind="bad" then="it goes back" />
      <Proof name={`that it is not worse than is allowed`} bet={e.notWorse} kind="ok" then="it gets everything" />
      <Meter name="requests at this share" part={e.step / e.needStep} kind="accent" text={`${e.step} of ${e.needStep}`} />
    </div>
  );
}

// PartView is the one caller or route that may fail a version by which all together are not harmed.
function PartView({ part, e, version, from }: { part: Part; e: Evidence; version: string; from: string }) {
  const limit = percent(part.old) + 100 * e.allowed;
  const most = Math.max(percent(part.old), percent(part.new), limit, 0.1) * 1.15;
  return (
    <section className="part" aria-label={`Of ${part.name} alone`}>
      <h3>Of {part.name} alone</h3>
      <Errors name={version} of={part.new} most={most} limit={limit} />
      <Errors name={from} of={part.old} most={most} />
      <Proof name={`that ${version} is worse for ${part.name}`} bet={part.worse} kind="bad" then="it goes back" />
    </section>
  );
}

function Errors({ name, of, most, limit }: { name: string; of: Answered; most: number; limit?: number }) {
  const bad = limit !== undefined && percent(of) > limit;
  return (
    <div className="meter">
      <span>{name}</span>
      <span className="scale" aria-hidden="true">
        <i className={bad ? "bad" : "accent"} style={{ width: (100 * percent(of)) / most + "%" }} />
        {limit !== undefined && <b style={{ left: (100 * limit) / most + "%" }} title={`the limit: ${limit.toFixed(2)}%`} />}
      </span>
      <span className="num">
        {percent(of).toFixed(2)}
        <span className="unit">%</span>{" "}
        <span className="of">
          {of.errors} of {of.requests} answered badly
        </span>
      </span>
    </div>
  );
}

// A proof grows by factors: on the scale, half of the way is the square root of what is needed.
function Proof({ name, bet, kind, then }: { name: string; bet: Bet; kind: string; then: string }) {
  const part = bet.worth <= 1 ? 0 : Math.log(bet.worth) / Math.log(bet.need);
  return <Meter name={name} part={part} kind={kind} text={part >= 1 ? `shown: ${then}` : `${Math.floor(100 * part)}% of a proof; then ${then}`} />;
}

function Meter({ name, part, kind, text }: { name: string; part: number; kind: string; text: string }) {
  return (
    <div className="meter">
      <span>{name}</span>
      <span className="scale" aria-hidden="true">
        <i className={kind} style={{ width: 100 * Math.min(1, part) + "%" }} />
      </span>
      <span className="of">{text}</span>
    </div>
  );
}
