package identity

// Refusal is the error of a request that is not granted: the caller's fault,
// with a text that the caller may read. Any other error is the server's.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

func refuse(reason string) error { return &Refusal{reason} }
