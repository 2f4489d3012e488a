// Package standin stands in for the server of a workload that has none: it
// serves one view to the relay, in this process, with the sessions that a server
// has: in their order, and nothing twice.
//
// What must stay true: nobody is answered before there is a view, so that until
// then the relay goes by what it remembers.
//
// Input: views, one after the other. It knows neither where they come from nor
// what they say.
package standin
