// Package guard says what may begin now, and who may decide.
//
// Input: freezes, an application's and a pipeline's rails, who asks, and the time. Output:
// the gates of a run's stages (pipeline.Gate), a reason to hold a release, a reason to refuse a person. It
// is pure. What goes back is never held: no rollback, abort, cancel or undo asks here but for who may.
package guard
