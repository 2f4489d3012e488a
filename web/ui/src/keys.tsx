import { Fragment, useEffect, useRef } from "react";

// All keys, where they work.
const keys: [where: string, all: [key: string, does: string][]][] = [
  [
    "Anywhere",
    [
      ["?", "this list"],
      ["Ctrl K", "go to a page, service, release or pipeline"],
      ["/", "search the list"],
      ["Esc", "close what is open"],
      ["Tab", "to the next link or button; the first skips to the page"],
    ],
  ],
  [
    "Map",
    [
      ["Enter", "open the service that is chosen"],
      ["f", "its callers and callees alone"],
      ["t", "the same as a table"],
      ["i", "what was called during the last hour and is idle"],
      ["+ - 0", "zoom in, out, and to all"],
    ],
  ],
  ["A trace", [["↑ ↓ Home End", "from step to step"]]],
];

// Keys lists them: by ?, or the button.
export function Keys() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const typing = e.target instanceof HTMLElement && e.target.matches("input, textarea, select");
      if (e.key !== "?" || typing || e.ctrlKey || e.metaKey || document.querySelector("dialog[open]")) return;
      e.preventDefault();
      dialog.current?.showModal();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  return (
    <>
      <button type="button" className="palette-key" aria-label="Keys" onClick={() => dialog.current?.showModal()}>
        <kbd>?</kbd>
      </button>
      <dialog ref={dialog} className="keys" aria-labelledby="keys">
        <h2 id="keys">Keys</h2>
        {keys.map(([where, all]) => (
          <Fragment key={where}>
            <h3>{where}</h3>
            <dl>
              {all.map(([key, does]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </Fragment>
        ))}
        <p className="answers">
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </p>
      </dialog>
    </>
  );
}
