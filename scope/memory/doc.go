// Package memory is where scope.Memory lives: in the store, for servers that
// share one, or in a file of a server that is alone.
//
// Input and output: model.Learned. The package decides nothing of what is kept.
package memory
