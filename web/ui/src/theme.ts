// Light and dark are the system's, or as somebody chose in this browser.

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const kept = "weft.theme";

export const theme = (): Theme => themes.find((t) => t === localStorage.getItem(kept)) ?? "system";

export function wear(chosen: Theme) {
  if (chosen === "system") {
    localStorage.removeItem(kept);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(kept, chosen);
    document.documentElement.dataset.theme = chosen;
  }
}
