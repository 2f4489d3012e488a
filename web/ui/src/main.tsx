import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { findSession, session, takeKey } from "./client";
import { Frame } from "./frame";
import { startLive } from "./live";
import { SignIn } from "./session";
import "./style.css";
import { theme, wear } from "./theme";

takeKey();
wear(theme());
void findSession().then(() => {
  const outside = session.here && !session.name;
  if (!outside) startLive();
  createRoot(document.getElementById("root")!).render(<StrictMode>{outside ? <SignIn s={session} /> : <Frame />}</StrictMode>);
});
