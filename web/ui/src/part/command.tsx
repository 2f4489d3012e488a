import { useState } from "react";

// Command is one to copy: every page can be had on the command line.
export function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <span className="command">
      <code>{text}</code>
      <button type="button" onClick={() => void copy()} aria-label={"Copy " + text}>
        {copied ? "copied" : "copy"}
      </button>
    </span>
  );
}

// Empty says in one sentence why there is nothing, and with which command there would be.
export function Empty({ text, command }: { text: string; command: string }) {
  return (
    <div className="empty">
      <p>{text}</p>
      <Command text={command} />
    </div>
  );
}
