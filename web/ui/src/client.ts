import type { Done, Session } from "./api";
import { base } from "./url";

// What a link of `weft ui` carries behind #, which browsers neither send nor log. It is kept for this
// address and port alone, and is worth nothing once that `weft ui` has ended.
const kept = "weft.key";

export function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  localStorage.setItem(kept, key);
  history.replaceState(null, "", location.pathname + location.search);
}

export const api = new URL("../v1/", new URL(base, location.origin)).href;

export class Refused extends Error {
  constructor(
    readonly status: number, // 0: nobody answered
    message: string,
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | string[] | undefined>;

// signedIn says whether a link of `weft ui` led here, or somebody signed in at the server: it does what a page asks for.
export const signedIn = () => !!localStorage.getItem(kept) || !!session.name;

// session is that of the server, where people sign in there.
export let session: Session = { here: false };

export async function findSession() {
  if (!localStorage.getItem(kept)) session = await read<Session>("session", {}).catch(() => session); // the pages say that nobody answers
}

export async function ask(path: string, query: Query, signal?: AbortSignal, body?: object, method = "POST"): Promise<Response> {
  const url = new URL(path, api);
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value ?? ""].flat()) if (one) url.searchParams.append(name, String(one));
  }
  const key = localStorage.getItem(kept);
  const headers: HeadersInit = key ? { Authorization: "Bearer " + key } : {};
  let response: Response;
  try {
    response = await fetch(url, { signal, headers, cache: "no-store", ...(body && { method, body: JSON.stringify(body) }) });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new Refused(0, "The server does not answer.");
  }
  if (!response.ok) throw new Refused(response.status, await said(response));
  return response;
}

async function said(response: Response): Promise<string> {
  try {
    const body = await response.json();
    return body.error ?? body.message ?? response.statusText;
  } catch {
    return response.statusText;
  }
}

export async function read<T>(path: string, query: Query): Promise<T> {
  const response = await ask(path, query);
  return (await response.json()) as T;
}

export async function write<T>(path: string, body: object): Promise<T> {
  const response = await ask(path, {}, undefined, body);
  return (await response.json()) as T;
}

export async function drop(path: string): Promise<Done> {
  const response = await ask(path, {}, undefined, {}, "DELETE");
  return (await response.json()) as Done;
}
