// Package module has the code of plugins. It is asked of strangers, so what comes is bounded, and goes to no proxy unless it
// is a module of WebAssembly, with the digest that was named if one was.
//
// Job: how a ModuleSource that some object names is asked: a web server, or a registry of images. Code that was there once
// stays. It must not know who runs it.
package module
