import type { State } from "../api";

export const words: Record<State, string> = {
  bad: "failing",
  warn: "something is wrong",
  changing: "changing",
  ok: "well",
  idle: "no calls",
};

// A shape of its own for each state, in 12 by 12: colour alone says nothing to many.
export const shapes: Record<State, React.ReactNode> = {
  bad: <path d="M6 .8 11.6 11H.4z" />,
  warn: <path d="M6 .6 11.4 6 6 11.4.6 6z" />,
  changing: <path d="M1 2.2 5.4 6 1 9.8zm5.2 0L10.6 6l-4.4 3.8z" />,
  ok: <circle cx="6" cy="6" r="3.2" />,
  idle: <circle cx="6" cy="6" r="3" className="hollow" />,
};

export function Mark({ state }: { state: State }) {
  return (
    <svg className={"mark " + state} viewBox="0 0 12 12" role="img" aria-label={words[state]}>
      {shapes[state]}
    </svg>
  );
}
