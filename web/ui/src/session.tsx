import { useState, type FormEvent } from "react";
import type { Done, Session, SignIn as Asked } from "./api";
import { api, drop, write, type Refused } from "./client";
import { Alert } from "./part/alert";
import { Command } from "./part/command";

// SignIn is all that there is to see before somebody has signed in, where that is done at the server itself.
export function SignIn({ s }: { s: Session }) {
  const [token, setToken] = useState("");
  const [refused, setRefused] = useState("");
  const enter = async (e: FormEvent) => {
    e.preventDefault();
    setRefused("");
    try {
      await write<Done>("session", { token } satisfies Asked);
      location.reload();
    } catch (e) {
      setRefused((e as Refused).message);
    }
  };
  return (
    <main className="signin">
      <h1>weft</h1>
      {s.provider && (
        <a className="do" href={new URL("signin", api).href}>
          Sign in with {s.provider}
        </a>
      )}
      <form onSubmit={(e) => void enter(e)}>
        <label className="asked">
          Token
          <input type="password" autoComplete="off" required value={token} maxLength={16_000} onChange={(e) => setToken(e.target.value)} />
        </label>
        {refused && <Alert text={refused} />}
        <p className="answers">
          <button className={s.provider ? undefined : "do"}>Sign in</button>
        </p>
      </form>
      <p className="dim">Who runs the server prints a token by</p>
      <Command text={s.command ?? ""} />
    </main>
  );
}

// SignOut ends the session, and what it still reads.
export function SignOut() {
  const leave = async () => {
    await drop("session");
    location.reload();
  };
  return (
    <button type="button" onClick={() => void leave()}>
      Sign out
    </button>
  );
}
