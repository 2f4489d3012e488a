import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { takeKey } from "./client";
import { Frame } from "./frame";
import { startLive } from "./live";
import "./style.css";
import { theme, wear } from "./theme";

takeKey();
wear(theme());
startLive();
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Frame />
  </StrictMode>,
);
