package web

import (
	"net/http"
	"time"
)

// PreviewsPath is where a preview is asked for.
const PreviewsPath = "previews"

// PreviewRequest asks for a preview of a version of an application.
type PreviewRequest struct {
	Namespace   string `json:"namespace"`
	Application string `json:"application"`
	Version     string `json:"version"`
	For         string `json:"for,omitempty"`  // a duration; default and maximum are the server's
	Host        string `json:"host,omitempty"` // HOST or HOST:PORT at a gateway; "": those that lead to the application
}

// PreviewReply is the preview, shown once.
type PreviewReply struct {
	Links  []PreviewLink `json:"links"`  // one for each host; none where only a pattern of hosts is known
	Header string        `json:"header"` // NAME: VALUE, for programs
	Token  string        `json:"token"`
	Ends   time.Time     `json:"ends"`
}

// PreviewLink makes a cookie of itself when it is opened.
type PreviewLink struct {
	Host string `json:"host"`
	URL  string `json:"url"`
}

// PreviewsEnded says when all that there were ended.
type PreviewsEnded struct {
	At time.Time `json:"at"`
}

func preview(mesh Mesh, r *http.Request) (any, error) {
	var request PreviewRequest
	if err := read(r, &request); err != nil {
		return nil, Invalid("preview: %w", err)
	}
	return mesh.Preview(r.Context(), request)
}
