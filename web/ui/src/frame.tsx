import { Suspense, useEffect, useState } from "react";
import type { Overview } from "./api";
import { session } from "./client";
import { clock } from "./format";
import { useLive, usePulse, type Answer } from "./live";
import { Command } from "./part/command";
import { Frozen } from "./part/freezes";
import { Mark } from "./part/mark";
import { Skeleton } from "./part/table";
import { Keys } from "./keys";
import { Palette } from "./palette";
import { placeOf, places, rootOf, type Page } from "./places";
import { Link, usePlace } from "./url";
import { WindowChoice } from "./window";

export function Frame() {
  const { path } = usePlace();
  const overview = useLive<Overview>("overview");
  const place = placeOf(path);
  useEffect(() => {
    document.title = [...path.toReversed(), "weft"].join(" · ");
  }, [path.join("/")]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <Rail here={place && rootOf(place).name} overview={overview.data} />
      <div className="side">
        <header>
          <Crumbs path={path} />
          <span className="spring" />
          <Palette />
          <Keys />
          <WindowChoice />
          <Live />
        </header>
        <Attention overview={overview} here={path.join("/")} />
        <main id="main" tabIndex={-1}>
          {overview.refused?.status === 401 ? <SignIn why={overview.refused.message} /> : <Shown path={path} />}
        </main>
      </div>
    </>
  );
}

function Shown({ path }: { path: string[] }) {
  const place = placeOf(path);
  const [, namespace, name] = path;
  if (place?.list && path.length <= 1)
    return (
      <Suspense fallback={<Skeleton />}>
        <Tabs place={place} />
        {rootOf(place).name === "releases" ? <Frozen>{place.list()}</Frozen> : place.list()}
      </Suspense>
    );
  if (place?.one && path.length === 3) return <Suspense fallback={<Skeleton />}>{place.one(namespace!, name!)}</Suspense>;
  return (
    <div className="empty">
      <p>There is no such page.</p>
      <Link to={places[0]!.name}>{places[0]!.title}</Link>
    </div>
  );
}

// Tabs are the lists of one place of the rail, where it has several.
function Tabs({ place }: { place: Page }) {
  const all = places.filter((p) => p.list && rootOf(p) === rootOf(place));
  if (all.length === 1) return null;
  return (
    <nav className="tabs" aria-label="Lists">
      {all.map((p) => (
        <Link key={p.name} to={p.name} aria-current={p === place ? "page" : undefined}>
          {p.title}
        </Link>
      ))}
    </nav>
  );
}

function SignIn({ why }: { why: string }) {
  return (
    <div className="empty" role="alert">
      <p>{why}</p>
      {session.here ? (
        <button type="button" onClick={() => location.reload()}>
          Sign in
        </button>
      ) : (
        <Command text="weft ui" />
      )}
    </div>
  );
}

function Rail({ here, overview }: { here?: string; overview?: Overview }) {
  return (
    <nav className="rail" aria-label="Places">
      {places.filter((p) => p.icon).map((p) => (
        <Link key={p.name} to={p.name} aria-current={p.name === here ? "page" : undefined}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            {p.icon}
          </svg>
          <span>{p.title}</span>
          {p.name === "problems" && !!overview?.status.problems && <em>{overview.status.problems}</em>}
        </Link>
      ))}
    </nav>
  );
}

function Crumbs({ path }: { path: string[] }) {
  const [first = places[0]!.name, ...rest] = path;
  const place = placeOf(path);
  const title = place?.title ?? first;
  if (rest.length === 0) return <h1>{title}</h1>;
  return (
    <nav aria-label="Breadcrumbs" className="crumbs">
      <Link to={place?.list ? place.name : (place?.of ?? first)}>{title}</Link>
      <span className="dim">/ {rest[0]} /</span>
      <h1>{rest[1]}</h1>
    </nav>
  );
}

function Live() {
  const { live, change } = usePulse();
  return (
    <span className={"live" + (live ? " on" : "")} title={change && `revision ${change.revision}, ${clock(new Date(change.time))}`}>
      <i aria-hidden="true" />
      {live ? "live" : "not live"}
    </span>
  );
}

const gone = new Set([0, 502, 503]); // nobody answers, or who leads to the server says so

// Away is said only of a server that stays away: one that starts anew is soon back.
function useAway(refused?: number): string | undefined {
  const { live, change } = usePulse();
  const away = !live || (refused !== undefined && gone.has(refused));
  const [since, setSince] = useState<Date>();
  useEffect(() => {
    setSince(undefined);
    if (!away) return;
    const at = new Date();
    const timer = setTimeout(() => setSince(at), 2000);
    return () => clearTimeout(timer);
  }, [away]);
  if (!away || !since) return undefined;
  const seen = change ? `What is shown is of ${clock(new Date(change.time))}.` : "Nothing was read yet.";
  return `The server does not answer since ${clock(since)}. ${seen} Proxies go on without it.`;
}

// A page does not send to itself: what is to be said there, it says.
function Attention({ overview, here }: { overview: Answer<Overview>; here: string }) {
  const away = useAway(overview.refused?.status);
  if (overview.refused?.status === 401) return null;
  if (away) {
    return (
      <div className="attention" role="alert">
        <p>
          <Mark state="warn" />
          {away}
        </p>
      </div>
    );
  }
  const { attention = [], more = 0 } = overview.data ?? {};
  const lines = attention.filter((a) => a.page !== here);
  if (lines.length === 0) return null;
  return (
    <section className="attention" aria-label="What needs attention">
      {lines.map((a) => (
        <Link key={a.page + a.text} to={a.page} title={a.text}>
          <Mark state={a.state} />
          <span>{a.text}</span>
          <b aria-hidden="true">→</b>
        </Link>
      ))}
      {more > 0 && <p className="dim">and {more} more, below and on the pages that they concern</p>}
    </section>
  );
}
