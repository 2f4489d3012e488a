import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Change } from "./api";
import { ask, read, type Query, type Refused } from "./client";

// One stream says that something is new; each part of a page then reads again what it shows. Nothing is
// read while nobody looks at the tab.

export interface Pulse {
  live: boolean;
  change?: Change; // the last one
}

const retryTime = 1000; // ms
const silence = 5000; // ms in which something would have come: the connection is dead

let pulse: Pulse = { live: false };
const listeners = new Set<() => void>();

function tell(next: Pulse) {
  pulse = next;
  listeners.forEach((listener) => listener());
}

export function usePulse(): Pulse {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => pulse,
  );
}

async function listen(stop: AbortSignal) {
  const dead = new AbortController();
  const signal = AbortSignal.any([stop, dead.signal]);
  let timer = setTimeout(() => dead.abort(), silence);
  const response = await ask("changes", { watch: "true" }, signal);
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    timer = setTimeout(() => dead.abort(), silence);
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    const last = lines.findLast((line) => line.startsWith("data: "));
    if (last) tell({ live: true, change: JSON.parse(last.slice("data: ".length)) as Change });
  }
}

async function follow(signal: AbortSignal) {
  while (!signal.aborted) {
    try {
      await listen(signal);
    } catch {
      // the parts of the page say why
    }
    if (signal.aborted) return;
    tell({ live: false, change: pulse.change });
    await new Promise((resume) => setTimeout(resume, retryTime));
  }
}

export function startLive() {
  let stop = new AbortController();
  const restart = () => {
    stop.abort();
    stop = new AbortController();
    if (!document.hidden) void follow(stop.signal);
  };
  document.addEventListener("visibilitychange", restart);
  restart();
}

export interface Answer<T> {
  data?: T; // the last that was read here
  refused?: Refused; // why it is not the newest
}

// useLive reads again with each change, or with the first in so many milliseconds: one question at a time, and of
// what changed meanwhile the last.
export function useLive<T>(path: string, query: Query = {}, pace = 0): Answer<T> {
  const question = path + "?" + JSON.stringify(query);
  const { change, live } = usePulse();
  const beat = pace && change ? Math.floor(Date.parse(change.time) / pace) : change;
  // What another search or time range found stays until the new answer is there: nothing jumps.
  const [answer, setAnswer] = useState<Answer<T> & { of: string }>({ of: path });
  const busy = useRef<{ question: string; again: boolean }>(undefined);
  useEffect(() => {
    if (busy.current?.question === question) {
      busy.current.again = true;
      return;
    }
    const own = { question, again: false };
    busy.current = own;
    void (async () => {
      do {
        own.again = false;
        try {
          const data = await read<T>(path, query);
          if (busy.current === own) setAnswer({ of: path, data });
        } catch (e) {
          if (busy.current === own) setAnswer((before) => ({ of: path, data: before.of === path ? before.data : undefined, refused: e as Refused }));
        }
      } while (own.again && busy.current === own);
      if (busy.current === own) busy.current = undefined;
    })();
    // A change, and the stream's end and return, are when to read again.
  }, [question, beat, live]);
  return answer.of === path ? answer : {};
}
