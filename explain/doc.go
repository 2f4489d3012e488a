// Package explain says where a request goes and why, from the very bytes that
// proxies hold.
//
// Input: views, and a request. Output: the listener, virtual host, route,
// policies, clusters with their shares, endpoints and guards that it meets, each
// with the objects, files and lines that caused it. Nothing is sent, and no
// proxy is asked: the answer is the same for a view of yesterday or of a change
// that was not applied yet.
//
// What depends on chance is given as shares. The package knows neither API
// kinds nor sessions.
package explain
