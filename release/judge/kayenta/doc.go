// Package kayenta judges as the judge of Spinnaker's canary analysis does
// (NetflixACAJudge-v1.0), so that an imported configuration keeps its meaning.
//
// It is faithful, also where that judge has a hole: then the result is the same, and a
// warning says what was not looked at. For a configuration of one's own, weft's judge
// (release/judge) needs minutes instead of hours, and is right however often it looks.
//
// Input: a configuration, and the points of each metric of both versions. Output: a class
// for each metric, a score from 0 to 100, warnings. It must not know where points come from.
package kayenta
