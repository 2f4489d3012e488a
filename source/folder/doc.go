// Package folder brings the resources in a folder of YAML, JSON and Jsonnet files into
// flow: a mesh without an API server.
//
// Input: a folder, which is watched, or one after another that nothing changes.
// Output: a source of api.Object, as source/store gives, and a source of the problems
// that an API server would have refused an object for. The first commit has everything; from then on a changed
// file is read at once, and only its objects are replaced. What cannot be used
// never takes away what was good: a broken file or object keeps its last good
// rows, a removal waits a moment, since a file is often replaced by removing it
// first, and removals in mass wait until somebody means them. The package decides nothing: what a row means is for translate.
package folder
