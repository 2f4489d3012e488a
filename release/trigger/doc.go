// Package trigger starts runs of pipelines when something happens: a time comes, a
// branch or a registry has something new, a run ends, somebody delivers a webhook.
//
// A run is named by what it is for, so the same thing, however often and by whomever
// it is seen, starts one. What was seen stands in the pipeline's status and is written
// after the runs are made: a crash between the two makes them again, which makes none.
//
// Input: Pipelines, runs that end, what registries and repositories say, deliveries.
// Output: PipelineRuns, and the triggers' part of a Pipeline's status. It knows nothing
// of stages.
package trigger
