import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from "react";

// The URL is the state: a page is its path below base, and what is chosen on it is its query.

const script = import.meta.url; // base/assets/NAME.js, wherever base is
export const base = import.meta.env.DEV ? "/weft/ui/" : new URL("../", script).pathname;

const listeners = new Set<() => void>();

addEventListener("popstate", () => listeners.forEach((tell) => tell()));

function subscribe(tell: () => void) {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

export interface Place {
  path: string[]; // its parts below base
  query: URLSearchParams;
}

export function usePlace(): Place {
  const href = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const url = new URL(href, location.origin);
  const path = url.pathname.slice(base.length).split("/").filter(Boolean).map(decodeURIComponent);
  return { path, query: url.searchParams };
}

// hrefOf keeps the time range, which is the same on every page.
export function hrefOf(page: string, chosen: Record<string, string> = {}): string {
  const range = new URLSearchParams(location.search).get("window");
  const path = page.split("/").map(encodeURIComponent).join("/");
  const query = new URLSearchParams(range ? { window: range, ...chosen } : chosen).toString();
  return base + path + (query && "?" + query);
}

export function go(href: string) {
  history.pushState(null, "", href);
  scrollTo(0, 0);
  listeners.forEach((tell) => tell());
}

// choose changes what is chosen on a page: "" is what is usual, and not named.
export function choose(name: string, value: string) {
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(null, "", url.pathname + url.search);
  listeners.forEach((tell) => tell());
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  to: string; // a page, such as services/shop/reviews
  chosen?: Record<string, string>; // on it
}

export function Link({ to, chosen, ...rest }: LinkProps) {
  const href = hrefOf(to, chosen);
  const open = (e: MouseEvent) => {
    if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    go(href);
  };
  return <a {...rest} href={href} onClick={open} />;
}
