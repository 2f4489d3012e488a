// Package judge reads from the answers of two versions whether the new one is
// worse, and says so in a sentence.
//
// It holds two bets, each worth 1 at the start, whose expected worth never grows
// while its hypothesis is true: one against "New errs no more than Old", one
// against "New errs by MaxIncrease more". A worth of 1/(1-Confidence) refutes
// the hypothesis, at whatever look it is reached (Ville's inequality), so looking
// every second costs nothing. Only differences between the versions in the same
// second count: what hits both, however bursty, moves neither bet.
//
// Input: cumulative counts by version. Output: a Verdict and a small state.
// It must not know where counts come from, nor the time.
package judge
