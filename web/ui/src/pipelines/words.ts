import type { Run } from "../api";

const runs: Record<string, string> = {
  Waiting: "waits for its turn",
  Running: "runs",
  Asking: "waits for a person",
  Succeeded: "succeeded",
  Failed: "failed",
  Cancelled: "was cancelled",
};

export const runText = (r: Run) => runs[r.phase] ?? r.phase;

const stages: Record<string, string> = {
  Running: "runs",
  Asking: "waits for a person",
  Succeeded: "done",
  Failed: "failed",
  Continued: "failed, goes on",
  Stopped: "failed, its branch ends",
  Skipped: "skipped",
  Cancelled: "cancelled",
};

export const phaseWord = (phase: string) => stages[phase] ?? phase;

export const runPage = (r: { namespace: string; name: string }) => `runs/${r.namespace}/${r.name}`;
export const pipelinePage = (p: { namespace: string; name: string }) => `pipelines/${p.namespace}/${p.name}`;
