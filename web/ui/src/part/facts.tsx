import type { ReactNode } from "react";

export type Fact = [name: string, value: ReactNode];

// Facts are names beside what is known; one of which nothing is known is left out. Children are facts of another form.
export function Facts({ all, framed, children }: { all: Fact[]; framed?: boolean; children?: ReactNode }) {
  return (
    <dl className={framed ? "facts framed" : "facts"}>
      {all.map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
      {children}
    </dl>
  );
}
