// Package git brings the resources of a branch or tag of a Git repository into
// flow: what was reviewed and merged is the configuration, and nothing else.
//
// Input: a repository, which the git of the machine fetches from: its credential
// helpers, ssh and proxies work as people know them. Output: the rows and problems
// that source/folder makes of one commit; each next commit is one commit of rows.
// The commit that is served is kept on disk: whatever happens to the repository,
// its server or this process, the last good one stays. What stands in a commit is
// somebody's text: no hook, filter, link or submodule of it is ever followed.
package git
