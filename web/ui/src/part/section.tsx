import type { ReactNode } from "react";

export function Section({ title, note, children }: { title: string; note?: ReactNode; children: ReactNode }) {
  return (
    <section className="section" aria-label={title}>
      <h2>
        {title} {note !== undefined && <span className="of">{note}</span>}
      </h2>
      {children}
    </section>
  );
}

export function Nothing({ children }: { children: ReactNode }) {
  return <p className="nothing dim">{children}</p>;
}
